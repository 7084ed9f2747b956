//! CertificateSigningRequest: who asks is put in by the server; who decides writes to `approval`, who
//! signs to `status`, and nobody else changes anything.

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of, human_duration},
};
use serde_json::json;

use crate::{
    ApiError,
    error::{Cause, GroupKind},
    pki::SigningRequest,
    registry::{
        Change, Effects, KindRow, Strategy, SubresourceRow, View, WriteContext, cell, keep, rfc3339,
    },
};

/// Strategy of `certificates.k8s.io/v1` `CertificateSigningRequest`.
pub(crate) struct CertificateSigningRequest;

static COLUMNS: [ColumnDefinition; 6] = [
    ColumnDefinition::NAME,
    ColumnDefinition::AGE,
    ColumnDefinition::text("SignerName", "Who is to sign."),
    ColumnDefinition::text("Requestor", "Who asked."),
    ColumnDefinition::text("RequestedDuration", "How long the certificate is to live."),
    ColumnDefinition::text("Condition", "What was decided, and whether it is signed."),
];

const CONDITIONS: [&str; 2] = ["status", "conditions"];
const CERTIFICATE: [&str; 2] = ["status", "certificate"];

impl Strategy for CertificateSigningRequest {
    fn kind(&self) -> KindRow {
        KindRow::new(
            "certificates.k8s.io",
            "v1",
            "CertificateSigningRequest",
            "certificatesigningrequests",
        )
        .cluster_scoped()
        .short_names(&["csr"])
        .subresource(SubresourceRow::part(
            "approval",
            &["get", "patch", "update"],
        ))
        .subresource(SubresourceRow::status())
    }

    fn prepare_create(&self, object: &mut Object, ctx: &WriteContext<'_>) {
        let user = ctx.user;
        let mut said = |field: &str, value: Value| match is_empty(&value) {
            true => drop(object.remove(&["spec", field])),
            false => object.set(&["spec", field], value),
        };
        said("username", user.name.as_str().into());
        said("uid", user.uid.as_str().into());
        said("groups", json!(user.groups));
        said("extra", json!(user.extra));
        object.remove(&["status"]);
    }

    fn prepare_update(&self, new: &mut Object, old: &Object, ctx: &WriteContext<'_>) {
        keep(new, old, &["spec"]);
        match ctx.subresource {
            "approval" => {
                keep(new, old, &CERTIFICATE);
                date_conditions(new, old, ctx.now);
            }
            "status" => {
                keep_decisions(new, old);
                date_conditions(new, old, ctx.now);
            }
            _ => keep(new, old, &["status"]),
        }
    }

    fn selectable(&self) -> &'static [&'static str] {
        &["spec.signerName"]
    }

    /// The request must be one that a signer can read, signed by its own key.
    fn effects(&self, change: &mut Change<'_>, _view: &View<'_>) -> Result<Effects, ApiError> {
        let (None, Some(new)) = (change.old, change.new.as_deref()) else {
            return Ok(Effects::default());
        };
        let text = new.str(&["spec", "request"]).unwrap_or_default();
        let pem = STANDARD.decode(text).unwrap_or_default();
        match SigningRequest::from_pem(&pem) {
            Ok(_) => Ok(Effects::default()),
            Err(fault) => Err(ApiError::Invalid {
                kind: GroupKind::new("certificates.k8s.io", "CertificateSigningRequest"),
                name: new.name().to_owned(),
                causes: vec![Cause::new(
                    "FieldValueInvalid",
                    format!("Invalid value: {text:?}: {fault}"),
                    "spec.request",
                )],
            }),
        }
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let lifetime = object.get(&["spec", "expirationSeconds"]);
        let lifetime = match lifetime.and_then(Value::as_i64) {
            Some(seconds) => human_duration(seconds),
            None => "<none>".to_owned(),
        };
        vec![
            object.name().into(),
            age_of(object, now).into(),
            cell::text_or_else(object, &["spec", "signerName"], "<none>"),
            cell::text(object, &["spec", "username"]),
            lifetime.into(),
            condition(object).into(),
        ]
    }
}

/// `Approved,Issued`; `Pending` while nothing is decided.
fn condition(object: &Object) -> String {
    let conditions = cell::items(object, &CONDITIONS);
    let has = |type_: &str| conditions.iter().any(|each| each["type"] == type_);
    let mut words = match (has("Approved"), has("Denied")) {
        (_, true) => vec!["Denied"],
        (true, false) => vec!["Approved"],
        (false, false) => vec!["Pending"],
    };
    if has("Failed") {
        words.push("Failed");
    }
    if object
        .str(&CERTIFICATE)
        .is_some_and(|text| !text.is_empty())
    {
        words.push("Issued");
    }
    words.join(",")
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        other => other.is_null(),
    }
}

/// A signer can't change what was decided, only fail to see it: decisions that are in both keep their
/// old form. Whether one was added or removed is for validation to say.
fn keep_decisions(new: &mut Object, old: &Object) {
    let before = cell::items(old, &CONDITIONS);
    let mut conditions = cell::items(new, &CONDITIONS).to_vec();
    for condition in &mut conditions {
        let type_ = condition["type"].as_str().unwrap_or_default();
        let kept = before.iter().find(|each| each["type"] == type_);
        if let (true, Some(kept)) = (matches!(type_, "Approved" | "Denied"), kept) {
            *condition = kept.clone();
        }
    }
    set_conditions(new, conditions);
}

/// New conditions get the times that they lack.
fn date_conditions(new: &mut Object, old: &Object, now: Timestamp) {
    let before = cell::items(old, &CONDITIONS);
    let mut conditions = cell::items(new, &CONDITIONS).to_vec();
    for condition in &mut conditions {
        let known = before.iter().find(|each| each["type"] == condition["type"]);
        let known = known.filter(|known| known["status"] == condition["status"]);
        if condition["lastTransitionTime"].is_null() {
            let since = known.map(|known| known["lastTransitionTime"].clone());
            let since = since.filter(|since| !since.is_null());
            condition["lastTransitionTime"] = since.unwrap_or_else(|| rfc3339(now).into());
        }
        if condition["lastUpdateTime"].is_null() && known.is_none() {
            condition["lastUpdateTime"] = rfc3339(now).into();
        }
    }
    set_conditions(new, conditions);
}

fn set_conditions(object: &mut Object, conditions: Vec<Value>) {
    if !conditions.is_empty() {
        object.set(&CONDITIONS, Value::Array(conditions));
    }
}

#[cfg(test)]
mod tests;
