//! MutatingAdmissionPolicy.

use jiff::Timestamp;
use k8s_apimachinery::{Object, Value, table::ColumnDefinition};

use super::policy;
use crate::registry::{KindRow, Strategy};

/// Strategy of `admissionregistration.k8s.io/v1` `MutatingAdmissionPolicy`.
pub(crate) struct MutatingAdmissionPolicy;

static COLUMNS: [ColumnDefinition; 4] = [
    ColumnDefinition::NAME,
    ColumnDefinition::integer("Mutations", "How many changes it makes."),
    ColumnDefinition::text("ParamKind", "Kind of its parameters."),
    ColumnDefinition::AGE,
];

impl Strategy for MutatingAdmissionPolicy {
    fn kind(&self) -> KindRow {
        super::row("MutatingAdmissionPolicy", "mutatingadmissionpolicies")
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        policy::row(object, "mutations", now)
    }
}
