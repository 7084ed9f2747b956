//! PersistentVolumeClaim.

use super::persistent_volume::{access_modes, class, phase};
use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};
use serde_json::json;

use crate::registry::{KindRow, Strategy, SubresourceRow, WriteContext, cell};

/// Strategy of `v1` `PersistentVolumeClaim`.
pub(crate) struct PersistentVolumeClaim;

static COLUMNS: [ColumnDefinition; 9] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Status", "Whether it has a volume."),
    ColumnDefinition::text("Volume", "The volume that it is bound to."),
    ColumnDefinition::text("Capacity", "How much the volume holds."),
    ColumnDefinition::text("Access Modes", "How the volume can be mounted."),
    ColumnDefinition::text("StorageClass", "The class of storage that it asks for."),
    ColumnDefinition::text(
        "VolumeAttributesClass",
        "The class of changeable properties that it asks for.",
    ),
    ColumnDefinition::AGE,
    ColumnDefinition::text(
        "VolumeMode",
        "Whether a file system or a device is asked for.",
    )
    .wide(),
];

impl Strategy for PersistentVolumeClaim {
    fn kind(&self) -> KindRow {
        KindRow::new("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
            .short_names(&["pvc"])
            .returns_deleted()
            .subresource(SubresourceRow::status())
    }

    fn prepare_create(&self, object: &mut Object, _ctx: &WriteContext<'_>) {
        object.set(&["status"], json!({"phase": "Pending"}));
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let volume = cell::text(object, &["spec", "volumeName"]);
        let (capacity, modes) = match volume.as_str() {
            Some("") | None => (Value::from(""), String::new()),
            Some(_) => (
                cell::text(object, &["status", "capacity", "storage"]),
                access_modes(cell::items(object, &["status", "accessModes"])),
            ),
        };
        vec![
            object.name().into(),
            phase(object),
            volume,
            capacity,
            modes.into(),
            class(object),
            cell::text_or_else(object, &["spec", "volumeAttributesClassName"], "<unset>"),
            age_of(object, now).into(),
            cell::text_or_else(object, &["spec", "volumeMode"], "<unset>"),
        ]
    }
}
