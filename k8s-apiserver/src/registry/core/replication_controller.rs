//! ReplicationController.

use jiff::Timestamp;
use k8s_apimachinery::{Object, Value, table::ColumnDefinition};
use serde_json::json;

use crate::registry::{KindRow, Strategy, SubresourceRow, WriteContext, cell, replicas};

/// Strategy of `v1` `ReplicationController`.
pub(crate) struct ReplicationController;

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
        replicas::fields(object)
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &replicas::COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        replicas::row(object, now, cell::map(object, &["spec", "selector"]))
    }
}
