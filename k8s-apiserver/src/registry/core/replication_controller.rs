//! ReplicationController.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};
use serde_json::json;

use crate::registry::{KindRow, Strategy, SubresourceRow, WriteContext, cell};

/// Strategy of `v1` `ReplicationController`.
pub(crate) struct ReplicationController;

static COLUMNS: [ColumnDefinition; 8] = [
    ColumnDefinition::NAME,
    ColumnDefinition::integer("Desired", "Pods desired."),
    ColumnDefinition::integer("Current", "Pods that exist."),
    ColumnDefinition::integer("Ready", "Pods that are ready."),
    ColumnDefinition::AGE,
    ColumnDefinition::text("Containers", "Names of the template's containers.").wide(),
    ColumnDefinition::text("Images", "Images of the template's containers.").wide(),
    ColumnDefinition::text("Selector", "Labels of the pods that belong to it.").wide(),
];

impl Strategy for ReplicationController {
    fn kind(&self) -> KindRow {
        KindRow::new("", "v1", "ReplicationController", "replicationcontrollers")
            .short_names(&["rc"])
            .categories(&["all"])
            .storage_prefix("controllers")
            .with_generation()
            .subresource(SubresourceRow::scale())
            .subresource(SubresourceRow::status())
    }

    fn prepare_create(&self, object: &mut Object, _ctx: &WriteContext<'_>) {
        object.set(&["status"], json!({"replicas": 0}));
    }

    fn selectable(&self) -> &'static [&'static str] {
        &["status.replicas"]
    }

    fn fields(&self, object: &Object) -> Vec<(&'static str, String)> {
        let replicas = cell::number(object, &["status", "replicas"]);
        vec![("status.replicas", replicas.to_string())]
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let number = |path: [&str; 2]| Value::from(cell::number(object, &path));
        vec![
            object.name().into(),
            number(["spec", "replicas"]),
            number(["status", "replicas"]),
            number(["status", "readyReplicas"]),
            age_of(object, now).into(),
            cell::of_containers(object, "name"),
            cell::of_containers(object, "image"),
            cell::map(object, &["spec", "selector"]),
        ]
    }
}
