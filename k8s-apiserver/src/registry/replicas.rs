//! What ReplicaSets and ReplicationControllers show alike: they differ in the form of their selector.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};

use super::cell;

pub(super) static COLUMNS: [ColumnDefinition; 8] = [
    ColumnDefinition::NAME,
    ColumnDefinition::integer("Desired", "Pods desired."),
    ColumnDefinition::integer("Current", "Pods that exist."),
    ColumnDefinition::integer("Ready", "Pods that are ready."),
    ColumnDefinition::AGE,
    ColumnDefinition::text("Containers", "Names of the template's containers.").wide(),
    ColumnDefinition::text("Images", "Images of the template's containers.").wide(),
    ColumnDefinition::text("Selector", "Labels of the pods that belong to it.").wide(),
];

/// The cells of [`COLUMNS`]; the last is the selector as it is shown.
pub(super) fn row(object: &Object, now: Timestamp, selector: Value) -> Vec<Value> {
    let number = |path: [&str; 2]| Value::from(cell::number(object, &path));
    vec![
        object.name().into(),
        number(["spec", "replicas"]),
        number(["status", "replicas"]),
        number(["status", "readyReplicas"]),
        age_of(object, now).into(),
        cell::of_containers(object, "name"),
        cell::of_containers(object, "image"),
        selector,
    ]
}

/// What field selectors may ask for.
pub(super) fn fields(object: &Object) -> Vec<(&'static str, String)> {
    let replicas = cell::number(object, &["status", "replicas"]);
    vec![("status.replicas", replicas.to_string())]
}
