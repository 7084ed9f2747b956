//! PriorityClass.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};

use crate::registry::{KindRow, Strategy, cell};

/// Strategy of `scheduling.k8s.io/v1` `PriorityClass`.
pub(crate) struct PriorityClass;

static COLUMNS: [ColumnDefinition; 5] = [
    ColumnDefinition::NAME,
    ColumnDefinition::integer("Value", "Priority of its pods."),
    ColumnDefinition {
        type_: "boolean",
        ..ColumnDefinition::text("Global-Default", "Whether pods without a class have it.")
    },
    ColumnDefinition::AGE,
    ColumnDefinition::text("PreemptionPolicy", "Whether its pods may push others out."),
];

impl Strategy for PriorityClass {
    fn kind(&self) -> KindRow {
        KindRow::new(
            "scheduling.k8s.io",
            "v1",
            "PriorityClass",
            "priorityclasses",
        )
        .cluster_scoped()
        .short_names(&["pc"])
        .with_generation()
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let is_default = object.get(&["globalDefault"]) == Some(&Value::Bool(true));
        vec![
            object.name().into(),
            cell::number(object, &["value"]).into(),
            is_default.into(),
            age_of(object, now).into(),
            cell::text(object, &["preemptionPolicy"]),
        ]
    }
}
