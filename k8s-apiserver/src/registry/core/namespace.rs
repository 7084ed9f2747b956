//! Namespace: goes only when its controller has emptied it and taken its finalizer away.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};
use serde_json::json;

use crate::registry::{
    KindRow, Strategy, SubresourceRow, WriteContext, cell, keep, keep_all_but_status,
};

/// The finalizer of the namespace controller, in `spec.finalizers`.
const FINALIZER: &str = "kubernetes";

/// Strategy of `v1` `Namespace`.
pub(crate) struct Namespace;

static COLUMNS: [ColumnDefinition; 3] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text(
        "Status",
        "Whether the namespace is active or being emptied.",
    ),
    ColumnDefinition::AGE,
];

impl Strategy for Namespace {
    fn kind(&self) -> KindRow {
        // Namespaces are deleted one by one.
        KindRow::new("", "v1", "Namespace", "namespaces")
            .cluster_scoped()
            .short_names(&["ns"])
            .verbs(&[
                "create", "delete", "get", "list", "patch", "update", "watch",
            ])
            .subresource(SubresourceRow::part("finalize", &["update"]))
            .subresource(SubresourceRow::status())
    }

    fn prepare_create(&self, object: &mut Object, _ctx: &WriteContext<'_>) {
        object.set(&["status"], json!({"phase": "Active"}));
        let finalizers = cell::items(object, &["spec", "finalizers"]);
        if !finalizers.iter().any(|f| f == FINALIZER) {
            let mut finalizers = finalizers.to_vec();
            finalizers.push(FINALIZER.into());
            object.set(&["spec", "finalizers"], finalizers.into());
        }
    }

    fn prepare_update(&self, new: &mut Object, old: &Object, ctx: &WriteContext<'_>) {
        match ctx.subresource {
            "status" => keep_all_but_status(new, old),
            "finalize" => keep(new, old, &["status"]),
            _ => {
                keep(new, old, &["spec", "finalizers"]);
                keep(new, old, &["status"]);
            }
        }
    }

    fn prepare_delete(&self, object: &mut Object) {
        object.set(&["status", "phase"], "Terminating".into());
    }

    fn is_held(&self, object: &Object) -> bool {
        object.finalizers().next().is_some() || cell::count(object, &["spec", "finalizers"]) > 0
    }

    fn selectable(&self) -> &'static [&'static str] {
        &["status.phase"]
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let phase = cell::text(object, &["status", "phase"]);
        vec![object.name().into(), phase, age_of(object, now).into()]
    }
}
