//! ReplicaSet.

use jiff::Timestamp;
use k8s_apimachinery::{Object, Value, table::ColumnDefinition};
use serde_json::json;

use crate::registry::{KindRow, Strategy, SubresourceRow, WriteContext, cell, replicas};

/// Strategy of `apps/v1` `ReplicaSet`.
pub(crate) struct ReplicaSet;

impl Strategy for ReplicaSet {
    fn kind(&self) -> KindRow {
        KindRow::new("apps", "v1", "ReplicaSet", "replicasets")
            .short_names(&["rs"])
            .categories(&["all"])
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
        replicas::fields(object)
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &replicas::COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        replicas::row(object, now, cell::selector(object, &["spec", "selector"]))
    }
}
