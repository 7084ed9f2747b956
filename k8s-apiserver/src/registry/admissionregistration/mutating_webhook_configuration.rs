//! MutatingWebhookConfiguration.

use jiff::Timestamp;
use k8s_apimachinery::{Object, Value, table::ColumnDefinition};

use super::webhook;
use crate::registry::{KindRow, Strategy};

/// Strategy of `admissionregistration.k8s.io/v1` `MutatingWebhookConfiguration`.
pub(crate) struct MutatingWebhookConfiguration;

impl Strategy for MutatingWebhookConfiguration {
    fn kind(&self) -> KindRow {
        super::row(
            "MutatingWebhookConfiguration",
            "mutatingwebhookconfigurations",
        )
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &webhook::COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        webhook::row(object, now)
    }
}
