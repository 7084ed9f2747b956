//! What both sorts of webhook configurations print.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};

use crate::registry::cell;

pub(super) static COLUMNS: [ColumnDefinition; 3] = [
    ColumnDefinition::NAME,
    ColumnDefinition::integer("Webhooks", "How many webhooks are called."),
    ColumnDefinition::AGE,
];

pub(super) fn row(configuration: &Object, now: Timestamp) -> Vec<Value> {
    vec![
        configuration.name().into(),
        cell::count(configuration, &["webhooks"]).into(),
        age_of(configuration, now).into(),
    ]
}
