//! ValidatingAdmissionPolicy.

use jiff::Timestamp;
use k8s_apimachinery::{Object, Value, table::ColumnDefinition};
use serde_json::json;

use super::policy;
use crate::registry::{KindRow, Strategy, SubresourceRow, WriteContext};

/// Strategy of `admissionregistration.k8s.io/v1` `ValidatingAdmissionPolicy`.
pub(crate) struct ValidatingAdmissionPolicy;

static COLUMNS: [ColumnDefinition; 4] = [
    ColumnDefinition::NAME,
    ColumnDefinition::integer("Validations", "How many expressions must hold."),
    ColumnDefinition::text("ParamKind", "Kind of its parameters."),
    ColumnDefinition::AGE,
];

impl Strategy for ValidatingAdmissionPolicy {
    fn kind(&self) -> KindRow {
        super::row("ValidatingAdmissionPolicy", "validatingadmissionpolicies")
            .subresource(SubresourceRow::status())
    }

    fn prepare_create(&self, object: &mut Object, _ctx: &WriteContext<'_>) {
        object.set(&["status"], json!({}));
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        policy::row(object, "validations", now)
    }
}
