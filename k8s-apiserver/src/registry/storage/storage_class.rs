//! StorageClass.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};

use crate::registry::{KindRow, Strategy, cell};

/// Strategy of `storage.k8s.io/v1` `StorageClass`.
pub(crate) struct StorageClass;

/// What marks the class of claims that name none.
const DEFAULT: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];

static COLUMNS: [ColumnDefinition; 6] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Provisioner", "What makes the volumes."),
    ColumnDefinition::text(
        "ReclaimPolicy",
        "What becomes of a volume when its claim goes.",
    ),
    ColumnDefinition::text(
        "VolumeBindingMode",
        "Whether volumes are made at once, or where their pods run.",
    ),
    ColumnDefinition {
        type_: "boolean",
        ..ColumnDefinition::text("AllowVolumeExpansion", "Whether volumes can grow.")
    },
    ColumnDefinition::AGE,
];

impl Strategy for StorageClass {
    fn kind(&self) -> KindRow {
        KindRow::new("storage.k8s.io", "v1", "StorageClass", "storageclasses")
            .short_names(&["sc"])
            .cluster_scoped()
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let is_default = |key| object.annotation(key) == Some("true");
        let suffix = match DEFAULT.into_iter().any(is_default) {
            true => " (default)",
            false => "",
        };
        vec![
            format!("{}{suffix}", object.name()).into(),
            cell::text(object, &["provisioner"]),
            cell::text_or_else(object, &["reclaimPolicy"], "Delete"),
            cell::text_or_else(object, &["volumeBindingMode"], "Immediate"),
            cell::flag(object, &["allowVolumeExpansion"]).into(),
            age_of(object, now).into(),
        ]
    }
}
