//! ServiceAccount.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};

use crate::registry::{KindRow, Strategy, SubresourceRow, cell};

/// Strategy of `v1` `ServiceAccount`.
pub(crate) struct ServiceAccount;

static COLUMNS: [ColumnDefinition; 3] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Secrets", "Number of secrets that the account names."),
    ColumnDefinition::AGE,
];

impl Strategy for ServiceAccount {
    fn kind(&self) -> KindRow {
        KindRow::new("", "v1", "ServiceAccount", "serviceaccounts")
            .short_names(&["sa"])
            .conditional_update_only()
            .returns_deleted()
            .subresource(SubresourceRow::token())
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let secrets = cell::count(object, &["secrets"]);
        vec![
            object.name().into(),
            secrets.into(),
            age_of(object, now).into(),
        ]
    }
}
