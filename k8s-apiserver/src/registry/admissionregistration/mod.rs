//! Kinds of `admissionregistration.k8s.io`.

mod binding;
pub(super) mod mutating_admission_policy;
pub(super) mod mutating_admission_policy_binding;
pub(super) mod mutating_webhook_configuration;
mod policy;
pub(super) mod validating_admission_policy;
pub(super) mod validating_admission_policy_binding;
pub(super) mod validating_webhook_configuration;
mod webhook;

use super::KindRow;

/// What the rows of all kinds of the group have in common.
fn row(kind: &str, plural: &str) -> KindRow {
    KindRow::new("admissionregistration.k8s.io", "v1", kind, plural)
        .cluster_scoped()
        .categories(&["api-extensions"])
        .conditional_update_only()
        .with_generation()
}
