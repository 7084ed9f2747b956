//! ClusterRoleBinding.

use jiff::Timestamp;
use k8s_apimachinery::{Object, Value, table::ColumnDefinition};

use super::binding;
use crate::registry::{KindRow, Strategy};

/// Strategy of `rbac.authorization.k8s.io/v1` `ClusterRoleBinding`.
pub(crate) struct ClusterRoleBinding;

impl Strategy for ClusterRoleBinding {
    fn kind(&self) -> KindRow {
        KindRow::new(
            "rbac.authorization.k8s.io",
            "v1",
            "ClusterRoleBinding",
            "clusterrolebindings",
        )
        .cluster_scoped()
        .create_on_update()
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &binding::COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        binding::row(object, now)
    }
}
