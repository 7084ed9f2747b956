//! What both sorts of policies print.

use jiff::Timestamp;
use k8s_apimachinery::{Object, Value, table::age_of};

use crate::registry::cell;

/// The cells of a policy; `list` is what it does, one expression each.
pub(super) fn row(policy: &Object, list: &str, now: Timestamp) -> Vec<Value> {
    let param = |field| policy.str(&["spec", "paramKind", field]);
    let param_kind = match (param("apiVersion"), param("kind")) {
        (Some(api_version), Some(kind)) => format!("{api_version}/{kind}"),
        _ => "<unset>".to_owned(),
    };
    vec![
        policy.name().into(),
        cell::count(policy, &["spec", list]).into(),
        param_kind.into(),
        age_of(policy, now).into(),
    ]
}
