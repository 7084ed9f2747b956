//! CSINode.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};

use crate::registry::{KindRow, Strategy, cell};

/// Strategy of `storage.k8s.io/v1` `CSINode`.
pub(crate) struct CsiNode;

static COLUMNS: [ColumnDefinition; 3] = [
    ColumnDefinition::NAME,
    ColumnDefinition::integer("Drivers", "How many drivers of volumes the node has."),
    ColumnDefinition::AGE,
];

impl Strategy for CsiNode {
    fn kind(&self) -> KindRow {
        KindRow::new("storage.k8s.io", "v1", "CSINode", "csinodes")
            .cluster_scoped()
            .conditional_update_only()
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        vec![
            object.name().into(),
            cell::count(object, &["spec", "drivers"]).into(),
            age_of(object, now).into(),
        ]
    }
}
