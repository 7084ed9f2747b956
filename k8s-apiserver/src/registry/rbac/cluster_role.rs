//! ClusterRole.

use jiff::Timestamp;
use k8s_apimachinery::{Object, Value, table::ColumnDefinition};

use crate::registry::{KindRow, Strategy, cell};

/// Strategy of `rbac.authorization.k8s.io/v1` `ClusterRole`.
pub(crate) struct ClusterRole;

static COLUMNS: [ColumnDefinition; 2] = [
    ColumnDefinition::NAME,
    ColumnDefinition {
        type_: "date",
        ..ColumnDefinition::text("Created At", "When it was created.")
    },
];

impl Strategy for ClusterRole {
    fn kind(&self) -> KindRow {
        KindRow::new(
            "rbac.authorization.k8s.io",
            "v1",
            "ClusterRole",
            "clusterroles",
        )
        .cluster_scoped()
        .create_on_update()
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, _now: Timestamp) -> Vec<Value> {
        vec![object.name().into(), cell::created_at(object)]
    }
}
