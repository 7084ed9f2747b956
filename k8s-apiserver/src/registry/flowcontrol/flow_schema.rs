//! FlowSchema.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of, text_or},
};
use serde_json::json;

use crate::registry::{KindRow, Strategy, SubresourceRow, WriteContext, cell};

/// Strategy of `flowcontrol.apiserver.k8s.io/v1` `FlowSchema`.
pub(crate) struct FlowSchema;

static COLUMNS: [ColumnDefinition; 6] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("PriorityLevel", "Level of the requests that match."),
    ColumnDefinition::integer("MatchingPrecedence", "Lower ones are asked first."),
    ColumnDefinition::text("DistinguisherMethod", "What tells its flows apart."),
    ColumnDefinition::AGE,
    ColumnDefinition::text("MissingPL", "Whether the level isn't there."),
];

impl Strategy for FlowSchema {
    fn kind(&self) -> KindRow {
        KindRow::new(
            "flowcontrol.apiserver.k8s.io",
            "v1",
            "FlowSchema",
            "flowschemas",
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
        let level = object.str(&["spec", "priorityLevelConfiguration", "name"]);
        let conditions = cell::items(object, &["status", "conditions"]);
        let dangling = conditions.iter().find(|each| each["type"] == "Dangling");
        let is_missing = dangling.and_then(|condition| condition["status"].as_str());
        vec![
            object.name().into(),
            text_or(level, "").into(),
            cell::number(object, &["spec", "matchingPrecedence"]).into(),
            cell::text_or_else(object, &["spec", "distinguisherMethod", "type"], "<none>"),
            age_of(object, now).into(),
            text_or(is_missing, "?").into(),
        ]
    }
}
