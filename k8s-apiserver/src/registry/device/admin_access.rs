//! Administrators' access to devices that others use: only in namespaces that are marked for it (KEP-5018).

use k8s_apimachinery::Object;

use crate::{
    ApiError,
    error::{Cause, GroupKind},
    registry::{Change, Effects, View, cell},
};

/// Marks a namespace whose claims may have such access.
const LABEL: &str = "resource.kubernetes.io/admin-access";

/// Refuses a new claim, or template of claims, that asks for access which its namespace doesn't allow. `spec` is where
/// the claim's spec lies.
pub(super) fn check(
    change: &Change<'_>,
    view: &View<'_>,
    kind: &str,
    spec: &[&str],
) -> Result<Effects, ApiError> {
    let (Some(object), None) = (change.new.as_deref(), change.old) else {
        return Ok(Effects::default());
    };
    let requests = cell::items(object, &[spec, &["devices", "requests"]].concat());
    let asking = requests
        .iter()
        .enumerate()
        .filter(|(_, request)| request["exactly"]["adminAccess"] == true);
    let at = spec.join(".");
    let causes: Vec<_> = asking
        .map(|(index, _)| {
            Cause::new(
                "FieldValueForbidden",
                format!(
                    "Forbidden: admin access to devices requires the `{LABEL}: true` label on the containing namespace"
                ),
                format!("{at}.devices.requests[{index}].exactly.adminAccess"),
            )
        })
        .collect();
    if causes.is_empty() || is_marked(object.namespace(), view) {
        return Ok(Effects::default());
    }
    Err(ApiError::Invalid {
        kind: GroupKind::new("resource.k8s.io", kind),
        name: object.name().to_owned(),
        causes,
    })
}

fn is_marked(namespace: &str, view: &View<'_>) -> bool {
    let namespace: Option<Object> = view.get("", "namespaces", "", namespace);
    namespace.is_some_and(|object| object.labels().any(|label| label == (LABEL, "true")))
}
