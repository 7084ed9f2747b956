//! What a service costs: itself, its load balancer, its node ports.

use super::evaluator::counts;
use crate::{Object, ResourceList, Value};

/// The names under which services are counted, beside `count/services`.
pub(super) const TRACKED: [&str; 3] = ["services", "services.nodeports", "services.loadbalancers"];

pub(super) fn usage(service: &Object) -> ResourceList {
    let ports = service.get(&["spec", "ports"]).and_then(Value::as_array);
    let ports = ports.map_or(&[][..], Vec::as_slice);
    let allocates = service.get(&["spec", "allocateLoadBalancerNodePorts"]);
    // Node ports are counted by intent: none are assigned yet when a service is admitted.
    let (node_ports, balancers) = match service.str(&["spec", "type"]) {
        Some("NodePort") => (ports.len(), 0),
        Some("LoadBalancer") if allocates == Some(&Value::Bool(false)) => {
            let has_number = |port: &&Value| port["nodePort"].as_u64().is_some_and(|n| n > 0);
            (ports.iter().filter(has_number).count(), 1)
        }
        Some("LoadBalancer") => (ports.len(), 1),
        _ => (0, 0),
    };
    counts([
        ("services", 1),
        ("services.nodeports", node_ports),
        ("services.loadbalancers", balancers),
    ])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::quota::testing::footprint;

    #[track_caller]
    fn check(spec: serde_json::Value, node_ports: usize, balancers: usize) {
        let usage = footprint("", "services", json!({ "spec": spec })).usage;
        let want = format!(
            "count/services=1,services=1,services.loadbalancers={balancers},services.nodeports={node_ports}"
        );
        assert_eq!(usage.to_string(), want);
    }

    #[test]
    fn types_with_node_ports_pay_for_each_port() {
        let ports = json!([{"port": 80, "nodePort": 30080}, {"port": 443}]);
        check(json!({"type": "ClusterIP", "ports": ports}), 0, 0);
        check(json!({"type": "ExternalName"}), 0, 0);
        check(json!({"type": "NodePort", "ports": ports}), 2, 0);
        check(json!({"type": "LoadBalancer", "ports": ports}), 2, 1);
        check(
            json!({"type": "LoadBalancer", "ports": ports, "allocateLoadBalancerNodePorts": false}),
            1,
            1,
        );
    }
}
