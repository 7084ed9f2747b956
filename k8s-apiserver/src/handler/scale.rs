//! The `scale` subresource: an `autoscaling/v1` `Scale` in front of whatever has replicas.

use http::StatusCode;
use k8s_apimachinery::{Object, Value, scheme::gvk::Gvk, selector::label::LabelSelector};
use serde_json::json;

use super::Call;
use crate::{
    ApiError, Response,
    error::{Cause, GroupKind},
    registry::{Answer, Missing, Tracking, WriteOptions},
};

/// The `Scale` of an object.
pub(super) fn of(object: &Object) -> Object {
    let selector = object.get(&["spec", "selector"]).and_then(selector);
    let number = |path: &[&str]| object.get(path).and_then(Value::as_i64).unwrap_or(0);
    let mut status = json!({ "replicas": number(&["status", "replicas"]) });
    if let Some(selector) = selector {
        status["selector"] = selector.to_string().into();
    }
    let mut metadata = json!({});
    for field in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
    ] {
        if let Some(value) = object.get(&["metadata", field]) {
            metadata[field] = value.clone();
        }
    }
    Object::from_value(json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": { "replicas": number(&["spec", "replicas"]) },
        "status": status,
    }))
    .expect("a Scale is an object")
}

/// A selector; that of a ReplicationController is a bare map of labels.
fn selector(value: &Value) -> Option<LabelSelector> {
    let labels = value.as_object()?;
    let is_bare = !labels.is_empty() && labels.values().all(Value::is_string);
    match is_bare {
        true => LabelSelector::from_value(&json!({ "matchLabels": labels })).ok(),
        false => LabelSelector::from_value(value).ok(),
    }
}

/// Sets the replicas of an object as a changed `Scale` says.
pub(super) fn onto(scale: &Object, object: &Object) -> Result<Object, ApiError> {
    let replicas = scale
        .get(&["spec", "replicas"])
        .and_then(Value::as_i64)
        .unwrap_or(0);
    if replicas < 0 {
        return Err(ApiError::Invalid {
            kind: GroupKind::new("autoscaling", "Scale"),
            name: object.name().to_owned(),
            causes: vec![Cause::new(
                "FieldValueInvalid",
                format!("Invalid value: {replicas}: must be greater than or equal to 0"),
                "spec.replicas",
            )],
        });
    }
    let mut scaled = object.clone();
    scaled.set(&["spec", "replicas"], replicas.into());
    let version = scale.resource_version();
    let version = if version.is_empty() {
        object.resource_version()
    } else {
        version
    };
    scaled.set(&["metadata", "resourceVersion"], version.into());
    Ok(scaled)
}

/// `PUT` of a `Scale`.
pub(super) async fn update(call: &Call, options: &WriteOptions) -> Result<Response, ApiError> {
    let gvk = gvk();
    let wanted = call.decode_as(&gvk, options.field_validation)?;
    let scaled = |current: Option<&Object>| match current {
        Some(object) => onto(&wanted, object),
        None => Err(ApiError::not_found(call.resource.name(), &call.info.name)),
    };
    let write = call.write(options);
    let updated = call
        .registry
        .update(&write, &scaled, Missing::NotFound, Tracking::Update)
        .await?;
    let answer = Answer::Tree(of(&updated.answer.object()));
    call.respond(StatusCode::OK, &answer)
}

/// `autoscaling/v1` `Scale`.
pub(super) fn gvk() -> Gvk {
    Gvk::new("autoscaling", "v1", "Scale")
}
