//! DeviceClass.

use crate::registry::{KindRow, Strategy};

/// Strategy of `resource.k8s.io/v1` `DeviceClass`.
pub(crate) struct DeviceClass;

impl Strategy for DeviceClass {
    fn kind(&self) -> KindRow {
        KindRow::new("resource.k8s.io", "v1", "DeviceClass", "deviceclasses")
            .cluster_scoped()
            .with_generation()
    }
}
