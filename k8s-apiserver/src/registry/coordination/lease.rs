//! Lease.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};

use crate::registry::{KindRow, Strategy, cell};

/// Strategy of `coordination.k8s.io/v1` `Lease`.
pub(crate) struct Lease;

static COLUMNS: [ColumnDefinition; 3] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Holder", "Who holds the lease."),
    ColumnDefinition::AGE,
];

impl Strategy for Lease {
    fn kind(&self) -> KindRow {
        KindRow::new("coordination.k8s.io", "v1", "Lease", "leases")
            .create_on_update()
            .conditional_update_only()
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let holder = cell::text(object, &["spec", "holderIdentity"]);
        vec![object.name().into(), holder, age_of(object, now).into()]
    }
}
