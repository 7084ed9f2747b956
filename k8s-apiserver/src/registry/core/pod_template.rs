//! PodTemplate.

use jiff::Timestamp;
use k8s_apimachinery::{Object, Value, table::ColumnDefinition};

use crate::registry::{KindRow, Strategy, cell};

/// Strategy of `v1` `PodTemplate`.
pub(crate) struct PodTemplate;

static COLUMNS: [ColumnDefinition; 4] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Containers", "Names of the template's containers."),
    ColumnDefinition::text("Images", "Images of the template's containers."),
    ColumnDefinition::text("Pod Labels", "Labels of the template's pods."),
];

impl Strategy for PodTemplate {
    fn kind(&self) -> KindRow {
        KindRow::new("", "v1", "PodTemplate", "podtemplates")
            .with_generation()
            .returns_deleted()
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, _now: Timestamp) -> Vec<Value> {
        let containers = ["template", "spec", "containers"];
        vec![
            object.name().into(),
            cell::texts(object, &containers, "name"),
            cell::texts(object, &containers, "image"),
            cell::map(object, &["template", "metadata", "labels"]),
        ]
    }
}
