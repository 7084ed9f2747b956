//! CSIStorageCapacity.

use jiff::Timestamp;
use k8s_apimachinery::{Object, Value, table::ColumnDefinition};

use crate::registry::{KindRow, Strategy, cell};

/// Strategy of `storage.k8s.io/v1` `CSIStorageCapacity`.
pub(crate) struct CsiStorageCapacity;

static COLUMNS: [ColumnDefinition; 3] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("StorageClassName", "The class of storage."),
    ColumnDefinition::text("Capacity", "How much more it can give."),
];

impl Strategy for CsiStorageCapacity {
    fn kind(&self) -> KindRow {
        KindRow::new(
            "storage.k8s.io",
            "v1",
            "CSIStorageCapacity",
            "csistoragecapacities",
        )
        .conditional_update_only()
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, _now: Timestamp) -> Vec<Value> {
        vec![
            object.name().into(),
            cell::text(object, &["storageClassName"]),
            cell::text_or_else(object, &["capacity"], "<unset>"),
        ]
    }
}
