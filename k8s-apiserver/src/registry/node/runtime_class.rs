//! RuntimeClass.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};

use crate::registry::{KindRow, Strategy, cell};

/// Strategy of `node.k8s.io/v1` `RuntimeClass`.
pub(crate) struct RuntimeClass;

static COLUMNS: [ColumnDefinition; 3] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Handler", "How the runtime calls the class."),
    ColumnDefinition::AGE,
];

impl Strategy for RuntimeClass {
    fn kind(&self) -> KindRow {
        KindRow::new("node.k8s.io", "v1", "RuntimeClass", "runtimeclasses")
            .cluster_scoped()
            .conditional_update_only()
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let handler = cell::text(object, &["handler"]);
        vec![object.name().into(), handler, age_of(object, now).into()]
    }
}
