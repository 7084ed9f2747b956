//! Endpoints.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};

use crate::registry::{KindRow, Strategy, cell};

/// How many addresses are printed before the rest is only counted.
const SHOWN: usize = 3;

/// Strategy of `v1` `Endpoints`.
pub(crate) struct Endpoints;

static COLUMNS: [ColumnDefinition; 3] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Endpoints", "Addresses and ports that are ready."),
    ColumnDefinition::AGE,
];

impl Strategy for Endpoints {
    fn kind(&self) -> KindRow {
        KindRow::new("", "v1", "Endpoints", "endpoints")
            .short_names(&["ep"])
            .storage_prefix("services/endpoints")
            .create_on_update()
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let subsets = cell::items(object, &["subsets"]);
        let endpoints = match subsets {
            [] => "<none>".to_owned(),
            subsets => shorten(subsets.iter().flat_map(addresses)),
        };
        vec![
            object.name().into(),
            endpoints.into(),
            age_of(object, now).into(),
        ]
    }
}

fn addresses(subset: &Value) -> Vec<String> {
    let ips = || {
        cell::items_of(subset, "addresses")
            .iter()
            .filter_map(|a| a["ip"].as_str())
    };
    let ports = cell::items_of(subset, "ports");
    if ports.is_empty() {
        return ips().map(str::to_owned).collect();
    }
    let on_port = |port: &Value| {
        let port = port["port"].as_i64().unwrap_or(0);
        let join = move |ip: &str| match ip.contains(':') {
            true => format!("[{ip}]:{port}"),
            false => format!("{ip}:{port}"),
        };
        ips().map(join).collect::<Vec<_>>()
    };
    ports.iter().flat_map(on_port).collect()
}

/// The first few, and how many more there are.
pub(in crate::registry) fn shorten(all: impl IntoIterator<Item = String>) -> String {
    let all: Vec<_> = all.into_iter().collect();
    let shown = all[..all.len().min(SHOWN)].join(",");
    match all.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} + {more} more..."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(subsets: Value, want: &str) {
        let object = Object::from_value(json!({"subsets": subsets})).expect("an object");
        assert_eq!(Endpoints.row(&object, Timestamp::UNIX_EPOCH)[1], want);
    }

    #[test]
    fn three_addresses_are_shown_and_the_rest_counted() {
        let ips = |n: usize| {
            (1..=n)
                .map(|i| json!({"ip": format!("10.0.0.{i}")}))
                .collect::<Vec<_>>()
        };
        check(json!(null), "<none>");
        check(json!([{"addresses": ips(1)}]), "10.0.0.1");
        check(
            json!([{"addresses": ips(5), "ports": [{"port": 80}]}]),
            "10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 2 more...",
        );
    }
}
