//! What an update of a service keeps, and what it drops, beside what the writer says.

use k8s_apimachinery::{Object, Value};
use serde_json::json;

use super::type_of;
use crate::registry::{cell, keep};

/// A writer that leaves out what was allocated keeps it, as long as the type still needs it.
pub(super) fn keep_allocated(new: &mut Object, old: &Object) {
    let is_named = |service: &Object| type_of(service) == "ExternalName";
    if is_named(new) || is_named(old) {
        return;
    }
    let has_ip = |service: &Object| {
        service
            .str(&["spec", "clusterIP"])
            .is_some_and(|ip| !ip.is_empty())
            || cell::count(service, &["spec", "clusterIPs"]) > 0
    };
    if !has_ip(new) {
        for field in ["clusterIP", "clusterIPs"] {
            keep(new, old, &["spec", field]);
        }
    }
    if has_ports_on_nodes(new) && has_ports_on_nodes(old) {
        keep_node_ports(new, old);
    }
    if new.get(&["spec", "healthCheckNodePort"]).is_none() && type_of(new) == "LoadBalancer" {
        keep(new, old, &["spec", "healthCheckNodePort"]);
    }
}

fn keep_node_ports(new: &mut Object, old: &Object) {
    let old_ports = cell::items(old, &["spec", "ports"]);
    let mut ports = cell::items(new, &["spec", "ports"]).to_vec();
    let is_taken = |ports: &[Value], number: &Value| ports.iter().any(|p| p["nodePort"] == *number);
    for at in 0..ports.len() {
        if ports[at]["nodePort"].as_i64().unwrap_or(0) != 0 {
            continue;
        }
        let same = |old: &&Value| {
            old["port"] == ports[at]["port"] && old["protocol"] == ports[at]["protocol"]
        };
        let number = old_ports
            .iter()
            .find(same)
            .map(|old| old["nodePort"].clone());
        if let Some(number) = number.filter(|n| n.is_number() && !is_taken(&ports, n)) {
            ports[at]["nodePort"] = number;
        }
    }
    if !ports.is_empty() {
        new.set(&["spec", "ports"], ports.into());
    }
}

/// A writer that changes the type need not clear by hand what the new type has no use for.
pub(super) fn drop_unused(new: &mut Object, old: &Object) {
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

fn has_ports_on_nodes(service: &Object) -> bool {
    matches!(type_of(service), "NodePort" | "LoadBalancer")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(spec: Value) -> Object {
        Object::from_value(json!({"metadata": {"name": "s"}, "spec": spec})).expect("an object")
    }

    #[test]
    fn what_was_allocated_stays_when_left_out() {
        let port = |node_port| json!([{"port": 80, "protocol": "TCP", "nodePort": node_port}]);
        let old = service(
            json!({"type": "NodePort", "clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.9"], "ports": port(30_080)}),
        );
        let mut new =
            service(json!({"type": "NodePort", "ports": [{"port": 80, "protocol": "TCP"}]}));
        keep_allocated(&mut new, &old);
        assert_eq!(new, old);
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
