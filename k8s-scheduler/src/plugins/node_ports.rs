//! NodePorts: a host port can be opened once per node, address and protocol.

use std::sync::Arc;

use k8s_apimachinery::pod::port;

use crate::{
    cache::{NodeInfo, PodInfo, Snapshot},
    framework::{
        Change, ClusterEvent, FilterPlugin, Plugin, Points, PreFilter, PreFilterPlugin, Verdict,
    },
};

/// The plugin's name.
pub const NAME: &str = "NodePorts";

/// Rejects nodes where a wanted host port is taken.
pub struct NodePorts;

impl Plugin for NodePorts {
    fn name(&self) -> &'static str {
        NAME
    }

    fn register(self: Arc<Self>, points: &mut Points) {
        points.pre_filter(self.clone()).filter(self);
    }

    fn events(&self) -> &'static [ClusterEvent] {
        &[ClusterEvent::NodeAdded, ClusterEvent::AssignedPodDeleted]
    }

    /// A pod that left must have held one of the wanted ports.
    fn may_help(&self, change: &Change, pod: &PodInfo) -> bool {
        let Some(gone) = &change.pod else { return true };
        port::find_conflict(&pod.host_ports, &port::host_ports(gone)).is_some()
    }
}

impl PreFilterPlugin for NodePorts {
    fn pre_filter<'a>(&'a self, pod: &'a PodInfo, _snapshot: &'a Snapshot) -> PreFilter<'a> {
        match pod.host_ports.is_empty() {
            true => Verdict::Skip.into(),
            false => Verdict::Success.into(),
        }
    }
}

impl FilterPlugin for NodePorts {
    fn filter(&self, pod: &PodInfo, node: &NodeInfo) -> Verdict {
        match port::find_conflict(&pod.host_ports, &node.host_ports) {
            None => Verdict::Success,
            Some(_) => {
                Verdict::unschedulable("node(s) didn't have free ports for the requested pod ports")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{node, pod};

    fn listener(name: &str, port: u16) -> PodInfo {
        let ports = json!([{"containerPort": 80, "hostPort": port}]);
        pod(name)
            .spec(json!({"containers": [{"name": "c", "ports": ports}]}))
            .info()
    }

    #[test]
    fn a_port_is_given_once_per_node() {
        let mut busy = node("n").info();
        busy.add_pod(Arc::new(listener("a", 8080)));
        assert!(NodePorts.filter(&listener("b", 8080), &busy).is_rejection());
        assert!(NodePorts.filter(&listener("b", 8081), &busy).is_success());
        busy.remove_pod(&listener("a", 8080).key);
        assert!(NodePorts.filter(&listener("b", 8080), &busy).is_success());
    }

    #[test]
    fn only_a_pod_that_frees_the_port_wakes_the_waiting_one() {
        let waiting = listener("b", 8080);
        let gone =
            |port| Change::of_pod(ClusterEvent::AssignedPodDeleted, &listener("a", port).pod);
        assert!(NodePorts.may_help(&gone(8080), &waiting));
        assert!(!NodePorts.may_help(&gone(9090), &waiting));
    }
}
