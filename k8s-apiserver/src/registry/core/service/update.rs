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
    let has_port = new.get(&["spec", "healthCheckNodePort"]).is_some();
    if !has_port && has_health_port(new) && has_health_port(old) {
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

/// Whether a service of its type, with its policies, has a use for some fields.
type Needs = fn(&Object) -> bool;

/// A writer that changes the type, or how traffic goes, need not clear by hand what is of no use any more.
pub(super) fn drop_unused(new: &mut Object, old: &Object) {
    let unused: [(Needs, &[&str]); 4] = [
        (
            has_address,
            &[
                "clusterIP",
                "clusterIPs",
                "ipFamilies",
                "ipFamilyPolicy",
                "internalTrafficPolicy",
            ],
        ),
        (has_health_port, &["healthCheckNodePort"]),
        (
            is_balanced,
            &["allocateLoadBalancerNodePorts", "loadBalancerClass"],
        ),
        (is_external, &["externalTrafficPolicy"]),
    ];
    let before = new.clone();
    let lost = unused
        .iter()
        .filter(|(needs, _)| needs(old) && !needs(&before));
    for field in lost.flat_map(|(_, fields)| *fields) {
        let path = ["spec", field];
        if new.get(&path) == old.get(&path) {
            new.remove(&path);
        }
    }
    if has_ports_on_nodes(old) && !has_ports_on_nodes(new) && node_ports(new) == node_ports(old) {
        drop_node_ports(new);
    }
    if is_balanced(old) && !is_balanced(new) {
        new.set(&["status"], json!({"loadBalancer": {}}));
    }
}

fn node_ports(service: &Object) -> Vec<&Value> {
    let ports = cell::items(service, &["spec", "ports"]).iter();
    ports.map(|port| &port["nodePort"]).collect()
}

fn drop_node_ports(service: &mut Object) {
    let mut ports = cell::items(service, &["spec", "ports"]).to_vec();
    for port in ports.iter_mut().filter_map(Value::as_object_mut) {
        port.remove("nodePort");
    }
    if !ports.is_empty() {
        service.set(&["spec", "ports"], ports.into());
    }
}

fn has_address(service: &Object) -> bool {
    type_of(service) != "ExternalName"
}

fn is_balanced(service: &Object) -> bool {
    type_of(service) == "LoadBalancer"
}

/// Whether traffic comes from outside the cluster.
fn is_external(service: &Object) -> bool {
    has_ports_on_nodes(service)
        || type_of(service) == "ClusterIP" && cell::count(service, &["spec", "externalIPs"]) > 0
}

/// Whether the balancer asks each node if it has an endpoint.
fn has_health_port(service: &Object) -> bool {
    is_balanced(service) && service.str(&["spec", "externalTrafficPolicy"]) == Some("Local")
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
    fn the_health_port_goes_with_the_policy() {
        let old = service(json!({
            "type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 30_090,
        }));
        let mut new = old.clone();
        new.set(&["spec", "externalTrafficPolicy"], "Cluster".into());
        keep_allocated(&mut new, &old);
        drop_unused(&mut new, &old);
        assert_eq!(
            new,
            service(json!({"type": "LoadBalancer", "externalTrafficPolicy": "Cluster"}))
        );
    }

    #[test]
    fn node_ports_that_were_changed_are_not_dropped_in_silence() {
        let with = |type_: &str, node_port: u16| {
            service(json!({"type": type_, "ports": [{"port": 80, "nodePort": node_port}]}))
        };
        let mut new = with("ClusterIP", 30_081);
        drop_unused(&mut new, &with("NodePort", 30_080));
        assert_eq!(new, with("ClusterIP", 30_081));
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
