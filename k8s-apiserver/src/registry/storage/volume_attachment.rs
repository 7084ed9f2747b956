//! VolumeAttachment.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};
use serde_json::json;

use crate::registry::{KindRow, Strategy, SubresourceRow, WriteContext, cell};

/// Strategy of `storage.k8s.io/v1` `VolumeAttachment`.
pub(crate) struct VolumeAttachment;

static COLUMNS: [ColumnDefinition; 6] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Attacher", "The driver that attaches."),
    ColumnDefinition::text("PV", "The volume."),
    ColumnDefinition::text("Node", "The node to attach it to."),
    ColumnDefinition {
        type_: "boolean",
        ..ColumnDefinition::text("Attached", "Whether it is attached.")
    },
    ColumnDefinition::AGE,
];

impl Strategy for VolumeAttachment {
    fn kind(&self) -> KindRow {
        KindRow::new(
            "storage.k8s.io",
            "v1",
            "VolumeAttachment",
            "volumeattachments",
        )
        .cluster_scoped()
        .conditional_update_only()
        .subresource(SubresourceRow::status())
    }

    fn prepare_create(&self, object: &mut Object, _ctx: &WriteContext<'_>) {
        object.set(&["status"], json!({"attached": false}));
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        vec![
            object.name().into(),
            cell::text(object, &["spec", "attacher"]),
            cell::text(object, &["spec", "source", "persistentVolumeName"]),
            cell::text(object, &["spec", "nodeName"]),
            cell::flag(object, &["status", "attached"]).into(),
            age_of(object, now).into(),
        ]
    }
}
