//! DaemonSet.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};
use serde_json::json;

use crate::registry::{KindRow, Strategy, SubresourceRow, WriteContext, cell};

/// Strategy of `apps/v1` `DaemonSet`.
pub(crate) struct DaemonSet;

static COLUMNS: [ColumnDefinition; 11] = [
    ColumnDefinition::NAME,
    ColumnDefinition::integer("Desired", "Nodes that should run the pod."),
    ColumnDefinition::integer("Current", "Nodes that run the pod and should."),
    ColumnDefinition::integer("Ready", "Nodes on which the pod is ready."),
    ColumnDefinition::integer(
        "Up-to-date",
        "Nodes that run the pod of the present template.",
    ),
    ColumnDefinition::integer(
        "Available",
        "Nodes on which the pod has been ready long enough.",
    ),
    ColumnDefinition::text(
        "Node Selector",
        "Labels of the nodes that should run the pod.",
    ),
    ColumnDefinition::AGE,
    ColumnDefinition::text("Containers", "Names of the template's containers.").wide(),
    ColumnDefinition::text("Images", "Images of the template's containers.").wide(),
    ColumnDefinition::text("Selector", "Labels of the pods that belong to it.").wide(),
];

impl Strategy for DaemonSet {
    fn kind(&self) -> KindRow {
        KindRow::new("apps", "v1", "DaemonSet", "daemonsets")
            .short_names(&["ds"])
            .categories(&["all"])
            .with_generation()
            .subresource(SubresourceRow::status())
    }

    fn prepare_create(&self, object: &mut Object, _ctx: &WriteContext<'_>) {
        object.set(&["status"], json!({
                "currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0,
            }));
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let status = |field| Value::from(cell::number(object, &["status", field]));
        vec![
            object.name().into(),
            status("desiredNumberScheduled"),
            status("currentNumberScheduled"),
            status("numberReady"),
            status("updatedNumberScheduled"),
            status("numberAvailable"),
            cell::map(object, &["spec", "template", "spec", "nodeSelector"]),
            age_of(object, now).into(),
            cell::of_containers(object, "name"),
            cell::of_containers(object, "image"),
            cell::selector(object, &["spec", "selector"]),
        ]
    }
}
