//! MutatingAdmissionPolicyBinding.

use jiff::Timestamp;
use k8s_apimachinery::{Object, Value, table::ColumnDefinition};

use super::binding;
use crate::registry::{KindRow, Strategy};

/// Strategy of `admissionregistration.k8s.io/v1` `MutatingAdmissionPolicyBinding`.
pub(crate) struct MutatingAdmissionPolicyBinding;

impl Strategy for MutatingAdmissionPolicyBinding {
    fn kind(&self) -> KindRow {
        super::row(
            "MutatingAdmissionPolicyBinding",
            "mutatingadmissionpolicybindings",
        )
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &binding::COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        binding::row(object, now)
    }
}
