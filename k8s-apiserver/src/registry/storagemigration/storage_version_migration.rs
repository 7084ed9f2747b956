//! StorageVersionMigration.

use k8s_apimachinery::Object;
use serde_json::json;

use crate::registry::{KindRow, Strategy, SubresourceRow, WriteContext};

/// Strategy of `storagemigration.k8s.io/v1` `StorageVersionMigration`.
pub(crate) struct StorageVersionMigration;

impl Strategy for StorageVersionMigration {
    fn kind(&self) -> KindRow {
        KindRow::new(
            "storagemigration.k8s.io",
            "v1",
            "StorageVersionMigration",
            "storageversionmigrations",
        )
        .cluster_scoped()
        .conditional_update_only()
        .subresource(SubresourceRow::status())
    }

    fn prepare_create(&self, object: &mut Object, _ctx: &WriteContext<'_>) {
        object.set(&["status"], json!({}));
    }
}
