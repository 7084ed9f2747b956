//! EndpointSlice.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of, text_or},
};

use crate::registry::{KindRow, Strategy, cell, core::endpoints::shorten};

/// Strategy of `discovery.k8s.io/v1` `EndpointSlice`.
pub(crate) struct EndpointSlice;

static COLUMNS: [ColumnDefinition; 5] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("AddressType", "Sort of the addresses."),
    ColumnDefinition::text("Ports", "Ports of all addresses."),
    ColumnDefinition::text("Endpoints", "The addresses."),
    ColumnDefinition::AGE,
];

impl Strategy for EndpointSlice {
    fn kind(&self) -> KindRow {
        KindRow::new("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices").with_generation()
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let ports = shorten(cell::items(object, &["ports"]).iter().map(port));
        let endpoints = cell::items(object, &["endpoints"]).iter();
        let addresses = endpoints.flat_map(|endpoint| cell::items_of(endpoint, "addresses"));
        let addresses = shorten(addresses.filter_map(Value::as_str).map(str::to_owned));
        vec![
            object.name().into(),
            cell::text(object, &["addressType"]),
            text_or(Some(&ports), "<unset>").into(),
            text_or(Some(&addresses), "<unset>").into(),
            age_of(object, now).into(),
        ]
    }
}

fn port(port: &Value) -> String {
    match (port["port"].as_i64(), port["name"].as_str()) {
        (Some(number), _) => number.to_string(),
        (None, Some(name)) => name.to_owned(),
        (None, None) => "*".to_owned(),
    }
}
