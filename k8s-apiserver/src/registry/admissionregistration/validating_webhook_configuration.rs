//! ValidatingWebhookConfiguration.

use jiff::Timestamp;
use k8s_apimachinery::{Object, Value, table::ColumnDefinition};

use super::webhook;
use crate::registry::{KindRow, Strategy};

/// Strategy of `admissionregistration.k8s.io/v1` `ValidatingWebhookConfiguration`.
pub(crate) struct ValidatingWebhookConfiguration;

impl Strategy for ValidatingWebhookConfiguration {
    fn kind(&self) -> KindRow {
        super::row(
            "ValidatingWebhookConfiguration",
            "validatingwebhookconfigurations",
        )
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &webhook::COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        webhook::row(object, now)
    }
}
