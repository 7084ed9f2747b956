//! StatefulSet.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};
use serde_json::json;

use crate::registry::{KindRow, Strategy, SubresourceRow, WriteContext, cell};

/// Strategy of `apps/v1` `StatefulSet`.
pub(crate) struct StatefulSet;

static COLUMNS: [ColumnDefinition; 5] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Ready", "Ready pods, out of those desired."),
    ColumnDefinition::AGE,
    ColumnDefinition::text("Containers", "Names of the template's containers.").wide(),
    ColumnDefinition::text("Images", "Images of the template's containers.").wide(),
];

impl Strategy for StatefulSet {
    fn kind(&self) -> KindRow {
        KindRow::new("apps", "v1", "StatefulSet", "statefulsets")
            .short_names(&["sts"])
            .categories(&["all"])
            .with_generation()
            .subresource(SubresourceRow::scale())
            .subresource(SubresourceRow::status())
    }

    fn prepare_create(&self, object: &mut Object, _ctx: &WriteContext<'_>) {
        object.set(&["status"], json!({"replicas": 0, "availableReplicas": 0}));
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let ready = cell::number(object, &["status", "readyReplicas"]);
        let desired = cell::number(object, &["spec", "replicas"]);
        vec![
            object.name().into(),
            format!("{ready}/{desired}").into(),
            age_of(object, now).into(),
            cell::of_containers(object, "name"),
            cell::of_containers(object, "image"),
        ]
    }
}
