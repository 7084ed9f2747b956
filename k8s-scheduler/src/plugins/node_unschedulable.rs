//! NodeUnschedulable: cordoned nodes take no new pods, except those that tolerate the taint which
//! cordoning brings.

use std::sync::Arc;

use k8s_apimachinery::pod::taint;
use k8s_openapi::api::core::v1::Taint;

use crate::{
    cache::{NodeInfo, PodInfo},
    framework::{Change, ClusterEvent, FilterPlugin, Plugin, Points, Verdict},
};

/// The plugin's name.
pub const NAME: &str = "NodeUnschedulable";

/// Rejects nodes with `spec.unschedulable`.
pub struct NodeUnschedulable;

impl Plugin for NodeUnschedulable {
    fn name(&self) -> &'static str {
        NAME
    }

    fn register(self: Arc<Self>, points: &mut Points) {
        points.filter(self);
    }

    fn events(&self) -> &'static [ClusterEvent] {
        &[
            ClusterEvent::NodeAdded,
            ClusterEvent::NodeUnschedulableChanged,
        ]
    }

    fn may_help(&self, change: &Change, pod: &PodInfo) -> bool {
        let node = change.node.clone().map(NodeInfo::new);
        node.is_none_or(|node| self.filter(pod, &node).is_success())
    }
}

impl FilterPlugin for NodeUnschedulable {
    fn filter(&self, pod: &PodInfo, node: &NodeInfo) -> Verdict {
        let cordoned = node.node.spec.as_ref().and_then(|spec| spec.unschedulable);
        if cordoned != Some(true) {
            return Verdict::Success;
        }
        let cordon = Taint {
            key: taint::NODE_UNSCHEDULABLE.to_owned(),
            effect: taint::NO_SCHEDULE.to_owned(),
            ..Default::default()
        };
        let mut tolerations = taint::tolerations(&pod.pod).iter();
        if tolerations.any(|toleration| taint::tolerates(toleration, &cordon)) {
            return Verdict::Success;
        }
        Verdict::unresolvable("node(s) were unschedulable")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{node, pod};

    #[test]
    fn a_cordoned_node_takes_only_pods_that_tolerate_it() {
        let cordoned = node("n").spec(json!({"unschedulable": true})).info();
        let plain = pod("a").info();
        let reasons = NodeUnschedulable.filter(&plain, &cordoned);
        assert_eq!(reasons.reasons(), ["node(s) were unschedulable"]);
        assert!(
            NodeUnschedulable
                .filter(&plain, &node("n").info())
                .is_success()
        );
        let bears = json!([{"key": taint::NODE_UNSCHEDULABLE, "operator": "Exists"}]);
        let daemon = pod("d").spec(json!({"tolerations": bears})).info();
        assert!(NodeUnschedulable.filter(&daemon, &cordoned).is_success());
    }

    #[test]
    fn only_a_node_that_would_pass_wakes_the_pod() {
        let wakes = |spec| {
            let node = Arc::new(node("n").spec(spec).build());
            NodeUnschedulable.may_help(&Change::node_added(&node), &pod("a").info())
        };
        assert!(!wakes(json!({"unschedulable": true})));
        assert!(wakes(json!({})));
    }
}
