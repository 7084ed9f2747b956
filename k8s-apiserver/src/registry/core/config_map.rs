//! ConfigMap.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};

use crate::registry::{KindRow, Strategy, cell};

/// Strategy of `v1` `ConfigMap`.
pub(crate) struct ConfigMap;

static COLUMNS: [ColumnDefinition; 3] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Data", "Number of keys."),
    ColumnDefinition::AGE,
];

impl Strategy for ConfigMap {
    fn kind(&self) -> KindRow {
        KindRow::new("", "v1", "ConfigMap", "configmaps").short_names(&["cm"])
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let keys = cell::count(object, &["data"]) + cell::count(object, &["binaryData"]);
        vec![
            object.name().into(),
            keys.into(),
            age_of(object, now).into(),
        ]
    }
}
