//! Ingress.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};
use serde_json::json;

use crate::registry::{KindRow, Strategy, SubresourceRow, WriteContext, cell};

/// How many hosts are printed before the rest is only counted.
const SHOWN: usize = 3;

/// Strategy of `networking.k8s.io/v1` `Ingress`.
pub(crate) struct Ingress;

static COLUMNS: [ColumnDefinition; 6] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Class", "Class whose controller serves it."),
    ColumnDefinition::text("Hosts", "Hosts that requests are matched against."),
    ColumnDefinition::text("Address", "Where its load balancer is reached."),
    ColumnDefinition::text("Ports", "Ports that are open: 443 if there is TLS."),
    ColumnDefinition::AGE,
];

impl Strategy for Ingress {
    fn kind(&self) -> KindRow {
        KindRow::new("networking.k8s.io", "v1", "Ingress", "ingresses")
            .short_names(&["ing"])
            .storage_prefix("ingress")
            .with_generation()
            .subresource(SubresourceRow::status())
    }

    fn prepare_create(&self, object: &mut Object, _ctx: &WriteContext<'_>) {
        object.set(&["status"], json!({"loadBalancer": {}}));
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let ports = match cell::count(object, &["spec", "tls"]) {
            0 => "80",
            _ => "80, 443",
        };
        vec![
            object.name().into(),
            cell::text_or_else(object, &["spec", "ingressClassName"], "<none>"),
            hosts(object).into(),
            address(object).into(),
            ports.into(),
            age_of(object, now).into(),
        ]
    }
}

fn hosts(ingress: &Object) -> String {
    let rules = cell::items(ingress, &["spec", "rules"]);
    let hosts: Vec<_> = rules
        .iter()
        .filter_map(|rule| rule["host"].as_str())
        .filter(|host| !host.is_empty())
        .collect();
    match hosts.as_slice() {
        [] => "*".to_owned(),
        hosts if hosts.len() <= SHOWN => hosts.join(","),
        hosts => format!(
            "{} + {} more...",
            hosts[..SHOWN].join(","),
            rules.len() - SHOWN
        ),
    }
}

fn address(ingress: &Object) -> String {
    let points = cell::items(ingress, &["status", "loadBalancer", "ingress"]);
    let address = |point: &'_ Value| {
        let text = |field| point[field].as_str().filter(|text: &&str| !text.is_empty());
        text("ip").or_else(|| text("hostname")).map(str::to_owned)
    };
    let addresses: BTreeSet<_> = points.iter().filter_map(address).collect();
    addresses.into_iter().collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(fields: Value, want: Value) {
        let mut fields = fields;
        fields["metadata"] = json!({"name": "i"});
        let object = Object::from_value(fields).expect("an object");
        let mut row = Ingress.row(&object, Timestamp::UNIX_EPOCH);
        row.pop();
        assert_eq!(Value::from(row), want);
    }

    #[test]
    fn hosts_and_addresses_are_listed() {
        let hosts: Vec<_> = ["a", "b", "c", "d", "e"]
            .map(|host| json!({"host": host}))
            .into();
        let points = json!([{"hostname": "z"}, {"ip": "10.0.0.1"}, {"ip": "10.0.0.1"}]);
        check(
            json!({
                "spec": {"ingressClassName": "nginx", "rules": hosts, "tls": [{}]},
                "status": {"loadBalancer": {"ingress": points}},
            }),
            json!(["i", "nginx", "a,b,c + 2 more...", "10.0.0.1,z", "80, 443"]),
        );
        check(
            json!({"spec": {"rules": [{}]}}),
            json!(["i", "<none>", "*", "", "80"]),
        );
    }
}
