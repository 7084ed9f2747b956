//! Secret.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};

use crate::registry::{KindRow, Strategy, cell};

/// Strategy of `v1` `Secret`.
pub(crate) struct Secret;

static COLUMNS: [ColumnDefinition; 4] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text(
        "Type",
        "What the data is for; some types need certain keys.",
    ),
    ColumnDefinition::text("Data", "Number of keys."),
    ColumnDefinition::AGE,
];

impl Strategy for Secret {
    fn kind(&self) -> KindRow {
        KindRow::new("", "v1", "Secret", "secrets")
    }

    fn selectable(&self) -> &'static [&'static str] {
        &["type"]
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        vec![
            object.name().into(),
            cell::text(object, &["type"]),
            cell::count(object, &["data"]).into(),
            age_of(object, now).into(),
        ]
    }
}
