//! NetworkPolicy.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};

use crate::registry::{KindRow, Strategy, cell};

/// Strategy of `networking.k8s.io/v1` `NetworkPolicy`.
pub(crate) struct NetworkPolicy;

static COLUMNS: [ColumnDefinition; 3] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Pod-Selector", "Labels of the pods that it is about."),
    ColumnDefinition::AGE,
];

impl Strategy for NetworkPolicy {
    fn kind(&self) -> KindRow {
        KindRow::new(
            "networking.k8s.io",
            "v1",
            "NetworkPolicy",
            "networkpolicies",
        )
        .short_names(&["netpol"])
        .with_generation()
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        vec![
            object.name().into(),
            cell::selector(object, &["spec", "podSelector"]),
            age_of(object, now).into(),
        ]
    }
}
