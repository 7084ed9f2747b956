//! Service: prepared here; its addresses and ports are allocated with the write.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of, list_or_none},
};
use serde_json::json;

use crate::{
    ApiError,
    registry::{
        Change, Effects, KindRow, Strategy, SubresourceRow, View, WriteContext, allocation, cell,
        keep, keep_all_but_status,
    },
};

/// Strategy of `v1` `Service`.
pub(crate) struct Service;

static COLUMNS: [ColumnDefinition; 7] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Type", "How the service is reached."),
    ColumnDefinition::text("Cluster-IP", "Address inside the cluster."),
    ColumnDefinition::text("External-IP", "Addresses or name outside the cluster."),
    ColumnDefinition::text("Port(s)", "Ports, with the node's port where there is one."),
    ColumnDefinition::AGE,
    ColumnDefinition::text("Selector", "Labels of the pods behind it.").wide(),
];

impl Strategy for Service {
    fn kind(&self) -> KindRow {
        KindRow::new("", "v1", "Service", "services")
            .short_names(&["svc"])
            .categories(&["all"])
            .storage_prefix("services/specs")
            .create_on_update()
            .returns_deleted()
            .subresource(SubresourceRow::connect(
                "proxy",
                &["create", "delete", "get", "patch", "update"],
            ))
            .subresource(SubresourceRow::status())
    }

    fn prepare_create(&self, object: &mut Object, _ctx: &WriteContext<'_>) {
        object.set(&["status"], json!({"loadBalancer": {}}));
    }

    fn prepare_update(&self, new: &mut Object, old: &Object, ctx: &WriteContext<'_>) {
        if ctx.subresource == "status" {
            return keep_all_but_status(new, old);
        }
        keep(new, old, &["status"]);
        drop_unused(new, old);
        allocation::carry_over(new, old);
    }

    fn effects(&self, change: &mut Change<'_>, view: &View<'_>) -> Result<Effects, ApiError> {
        allocation::effects(change, view)
    }

    fn effects(&self, change: &mut Change<'_>, view: &View<'_>) -> Result<Effects, ApiError> {
        allocation::effects(change, view)
    }

    fn selectable(&self) -> &'static [&'static str] {
        &["spec.clusterIP", "spec.type"]
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
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
}

fn type_of(service: &Object) -> &str {
    service.str(&["spec", "type"]).unwrap_or_default()
}

fn has_ports_on_nodes(service: &Object) -> bool {
    matches!(type_of(service), "NodePort" | "LoadBalancer")
}

/// A writer that changes the type need not clear by hand what the new type has no use for.
fn drop_unused(new: &mut Object, old: &Object) {
    if type_of(new) == type_of(old) {
        return;
    }
    let drop_if_same = |new: &mut Object, fields: &[&str]| {
        for field in fields {
            let path = ["spec", field];
            if new.get(&path) == old.get(&path) {
                new.remove(&path);
            }
        }
    };
    if type_of(new) == "ExternalName" {
        drop_if_same(
            new,
            &["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"],
        );
        drop_if_same(new, &["externalTrafficPolicy", "internalTrafficPolicy"]);
    }
    if !has_ports_on_nodes(new) && has_ports_on_nodes(old) {
        drop_if_same(new, &["externalTrafficPolicy", "healthCheckNodePort"]);
        let mut ports = cell::items(new, &["spec", "ports"]).to_vec();
        let same_as_old = |port: &Value| {
            let old_ports = cell::items(old, &["spec", "ports"]);
            old_ports
                .iter()
                .any(|old| old["nodePort"] == port["nodePort"])
        };
        for port in ports.iter_mut().filter(|port| same_as_old(port)) {
            port.as_object_mut().map(|port| port.remove("nodePort"));
        }
        if !ports.is_empty() {
            new.set(&["spec", "ports"], ports.into());
        }
    }
    if type_of(old) == "LoadBalancer" {
        drop_if_same(new, &["allocateLoadBalancerNodePorts", "loadBalancerClass"]);
        new.set(&["status"], json!({"loadBalancer": {}}));
    }
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

    fn service(spec: Value) -> Object {
        Object::from_value(json!({"metadata": {"name": "s"}, "spec": spec})).expect("an object")
    }

    #[test]
    fn rows_show_addresses_and_ports() {
        let row = |spec| Value::from(Service.row(&service(spec), Timestamp::UNIX_EPOCH));
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

    #[test]
    fn node_ports_go_with_the_type() {
        let ports = json!([{"port": 80, "nodePort": 30_080}]);
        let old = service(
            json!({"type": "NodePort", "externalTrafficPolicy": "Cluster", "ports": ports}),
        );
        let mut new = old.clone();
        new.set(&["spec", "type"], "ClusterIP".into());
        drop_unused(&mut new, &old);
        assert_eq!(
            new,
            service(json!({"type": "ClusterIP", "ports": [{"port": 80}]}))
        );
    }
}
