//! PriorityLevelConfiguration.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};
use serde_json::json;

use crate::registry::{KindRow, Strategy, SubresourceRow, WriteContext, cell};

/// Strategy of `flowcontrol.apiserver.k8s.io/v1` `PriorityLevelConfiguration`.
pub(crate) struct PriorityLevelConfiguration;

static COLUMNS: [ColumnDefinition; 7] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Type", "Whether requests of the level are limited."),
    ColumnDefinition::text("NominalConcurrencyShares", "Its share of requests at once."),
    ColumnDefinition::text("Queues", "How many queues there are."),
    ColumnDefinition::text("HandSize", "How many of them a flow may use."),
    ColumnDefinition::text("QueueLengthLimit", "How many requests fit into each."),
    ColumnDefinition::AGE,
];

impl Strategy for PriorityLevelConfiguration {
    fn kind(&self) -> KindRow {
        KindRow::new(
            "flowcontrol.apiserver.k8s.io",
            "v1",
            "PriorityLevelConfiguration",
            "prioritylevelconfigurations",
        )
        .cluster_scoped()
        .conditional_update_only()
        .with_generation()
        .subresource(SubresourceRow::status())
    }

    fn prepare_create(&self, object: &mut Object, _ctx: &WriteContext<'_>) {
        object.set(&["status"], json!({}));
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let limited = object.get(&["spec", "limited"]).unwrap_or(&Value::Null);
        let queuing = &limited["limitResponse"]["queuing"];
        let number = |value: &Value| match value {
            Value::Null => "<none>".into(),
            value => value.clone(),
        };
        vec![
            object.name().into(),
            cell::text(object, &["spec", "type"]),
            number(&limited["nominalConcurrencyShares"]),
            number(&queuing["queues"]),
            number(&queuing["handSize"]),
            number(&queuing["queueLengthLimit"]),
            age_of(object, now).into(),
        ]
    }
}
