//! LimitRange.

use jiff::Timestamp;
use k8s_apimachinery::{Object, Value, table::ColumnDefinition};

use crate::registry::{KindRow, Strategy, cell};

/// Strategy of `v1` `LimitRange`.
pub(crate) struct LimitRange;

static COLUMNS: [ColumnDefinition; 2] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Created At", "When it was created."),
];

impl Strategy for LimitRange {
    fn kind(&self) -> KindRow {
        KindRow::new("", "v1", "LimitRange", "limitranges")
            .short_names(&["limits"])
            .create_on_update()
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, _now: Timestamp) -> Vec<Value> {
        vec![object.name().into(), cell::created_at(object)]
    }
}
