//! Server-side apply: the body is what one manager wants, and the server knows what the others do.

use http::StatusCode;
use k8s_apimachinery::{
    Object,
    apply::{self, ApplyError, Manager, Operation},
};

use super::{Call, scale};
use crate::{
    ApiError, Response,
    error::Cause,
    registry::{Answer, Missing, Tracking, WriteOptions, rfc3339},
};

/// Merges what the body wants into the object, or creates it.
pub(super) async fn apply(call: &Call, options: &WriteOptions) -> Result<Response, ApiError> {
    if call
        .info
        .param("fieldManager")
        .unwrap_or_default()
        .is_empty()
    {
        return Err(ApiError::BadRequest(
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch"
                .to_owned(),
        ));
    }
    let schema = call
        .wire_schema()
        .ok_or_else(|| ApiError::internal("no structural schema to apply by"))?;
    if call.is_scale() {
        return apply_scale(call, options).await;
    }
    let gvk = call.resource.gvk(&call.info.version);
    let config = &call.decode_yaml(&gvk, Some(&schema), options.field_validation)?;
    if config.get(&["metadata", "managedFields"]).is_some() {
        return Err(ApiError::BadRequest(
            "metadata.managedFields must be nil".to_owned(),
        ));
    }
    let api_version = gvk.api_version();
    let time = rfc3339(call.registry.config().environment.now());
    let manager = Manager {
        name: &options.field_manager,
        operation: Operation::Apply,
        api_version: &api_version,
        subresource: &call.info.subresource,
        time: &time,
    };
    let merge = |live: Option<&Object>| {
        let live = live.map(|live| call.wire_object(live.clone()));
        apply::apply(live.as_ref(), config, &schema, &manager, options.force)
            .map(|merged| call.stored_form(merged))
            .map_err(|error| refused(call, error))
    };
    let missing = match call.subresource {
        None => Missing::Create,
        Some(_) => Missing::NotFound,
    };
    let write = call.write(options);
    let updated = call
        .registry
        .update(&write, &merge, missing, Tracking::Done)
        .await?;
    let status = match updated.created {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    call.respond(status, &updated.answer)
}

/// An apply of a `Scale` sets the replicas; their owner is noted as of an update through `scale`.
async fn apply_scale(call: &Call, options: &WriteOptions) -> Result<Response, ApiError> {
    let gvk = scale::gvk();
    let wanted = call.decode_yaml(&gvk, None, options.field_validation)?;
    let change = |live: Option<&Object>| match live {
        Some(live) => scale::onto(&wanted, live),
        None => Err(ApiError::not_found(call.resource.name(), &call.info.name)),
    };
    let write = call.write(options);
    let updated = call
        .registry
        .update(&write, &change, Missing::NotFound, Tracking::Update)
        .await?;
    let answer = Answer::Tree(scale::of(&updated.answer.object()));
    call.respond(StatusCode::OK, &answer)
}

fn refused(call: &Call, error: ApplyError) -> ApiError {
    match error {
        ApplyError::Conflicts(conflicts) => ApiError::ApplyConflict {
            causes: conflicts
                .0
                .iter()
                .map(|conflict| {
                    Cause::new("FieldManagerConflict", conflict.message(), &conflict.field)
                })
                .collect(),
        },
        other => ApiError::Invalid {
            kind: call.resource.group_kind(),
            name: call.info.name.clone(),
            causes: vec![Cause::new("", other.to_string(), "")],
        },
    }
}
