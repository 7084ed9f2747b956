//! VolumeAttributesClass.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};

use crate::registry::{KindRow, Strategy, cell};

/// Strategy of `storage.k8s.io/v1` `VolumeAttributesClass`.
pub(crate) struct VolumeAttributesClass;

static COLUMNS: [ColumnDefinition; 3] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("DriverName", "The driver that knows the parameters."),
    ColumnDefinition::AGE,
];

impl Strategy for VolumeAttributesClass {
    fn kind(&self) -> KindRow {
        KindRow::new(
            "storage.k8s.io",
            "v1",
            "VolumeAttributesClass",
            "volumeattributesclasses",
        )
        .short_names(&["vac"])
        .cluster_scoped()
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        vec![
            object.name().into(),
            cell::text(object, &["driverName"]),
            age_of(object, now).into(),
        ]
    }
}
