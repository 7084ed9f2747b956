//! RoleBinding.

use jiff::Timestamp;
use k8s_apimachinery::{Object, Value, table::ColumnDefinition};

use super::binding;
use crate::registry::{KindRow, Strategy};

/// Strategy of `rbac.authorization.k8s.io/v1` `RoleBinding`.
pub(crate) struct RoleBinding;

impl Strategy for RoleBinding {
    fn kind(&self) -> KindRow {
        KindRow::new(
            "rbac.authorization.k8s.io",
            "v1",
            "RoleBinding",
            "rolebindings",
        )
        .create_on_update()
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &binding::COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        binding::row(object, now)
    }
}
