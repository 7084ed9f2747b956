//! What `kubectl get services` prints.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of, list_or_none},
};

use super::type_of;
use crate::registry::cell;

pub(super) static COLUMNS: [ColumnDefinition; 7] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Type", "How the service is reached."),
    ColumnDefinition::text("Cluster-IP", "Address inside the cluster."),
    ColumnDefinition::text("External-IP", "Addresses or name outside the cluster."),
    ColumnDefinition::text("Port(s)", "Ports, with the node's port where there is one."),
    ColumnDefinition::AGE,
    ColumnDefinition::text("Selector", "Labels of the pods behind it.").wide(),
];

pub(super) fn cells(object: &Object, now: Timestamp) -> Vec<Value> {
    vec![
        object.name().into(),
        cell::text(object, &["spec", "type"]),
        cell::text_or_else(object, &["spec", "clusterIP"], "<none>"),
        external_ip(object).into(),
        ports(object).into(),
        age_of(object, now).into(),
        cell::map(object, &["spec", "selector"]),
    ]
}

fn external_ip(service: &Object) -> String {
    let texts = |list: &[Value]| -> Vec<String> {
        list.iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    let external = texts(cell::items(service, &["spec", "externalIPs"]));
    match type_of(service) {
        "LoadBalancer" => {
            let ingress = cell::items(service, &["status", "loadBalancer", "ingress"]);
            let address = |entry: &Value| {
                let ip = entry["ip"].as_str().filter(|ip| !ip.is_empty());
                ip.or(entry["hostname"].as_str()).map(str::to_owned)
            };
            let mut all: Vec<_> = ingress.iter().filter_map(address).collect();
            all.extend(external);
            if all.is_empty() {
                "<pending>".to_owned()
            } else {
                all.join(",")
            }
        }
        "ExternalName" => service
            .str(&["spec", "externalName"])
            .unwrap_or_default()
            .to_owned(),
        "ClusterIP" | "NodePort" => list_or_none(external),
        _ => "<unknown>".to_owned(),
    }
}

fn ports(service: &Object) -> String {
    let ports = cell::items(service, &["spec", "ports"]);
    list_or_none(ports.iter().map(|port| {
        let protocol = port["protocol"].as_str().unwrap_or_default();
        match port["nodePort"].as_i64().unwrap_or(0) {
            0 => format!("{}/{protocol}", port["port"]),
            node_port => format!("{}:{node_port}/{protocol}", port["port"]),
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn service(spec: Value) -> Object {
        Object::from_value(json!({"metadata": {"name": "s"}, "spec": spec})).expect("an object")
    }

    #[test]
    fn rows_show_addresses_and_ports() {
        let row = |spec| Value::from(cells(&service(spec), Timestamp::UNIX_EPOCH));
        let ports = json!([{"port": 80, "protocol": "TCP", "nodePort": 30_080}, {"port": 53, "protocol": "UDP"}]);
        assert_eq!(
            row(
                json!({"type": "NodePort", "clusterIP": "10.96.0.9", "ports": ports, "selector": {"a": "b", "c": "d"}})
            ),
            json!([
                "s",
                "NodePort",
                "10.96.0.9",
                "<none>",
                "80:30080/TCP,53/UDP",
                "<unknown>",
                "a=b,c=d"
            ]),
        );
        assert_eq!(
            row(json!({"type": "ExternalName", "externalName": "example.com"})),
            json!([
                "s",
                "ExternalName",
                "<none>",
                "example.com",
                "<none>",
                "<unknown>",
                "<none>"
            ]),
        );
        assert_eq!(row(json!({"type": "LoadBalancer"}))[3], "<pending>");
    }
}
