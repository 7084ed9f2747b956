//! NodeName: a pod that asks for one node by name runs there or nowhere.

use std::sync::Arc;

use crate::{
    cache::{NodeInfo, PodInfo},
    framework::{ClusterEvent, FilterPlugin, Plugin, Points, Verdict},
};

/// The plugin's name.
pub const NAME: &str = "NodeName";

/// Rejects every node but the one in `spec.nodeName`.
pub struct NodeName;

impl Plugin for NodeName {
    fn name(&self) -> &'static str {
        NAME
    }

    fn register(self: Arc<Self>, points: &mut Points) {
        points.filter(self);
    }

    fn events(&self) -> &'static [ClusterEvent] {
        &[ClusterEvent::NodeAdded]
    }
}

impl FilterPlugin for NodeName {
    fn filter(&self, pod: &PodInfo, node: &NodeInfo) -> Verdict {
        let wanted = pod.spec().and_then(|spec| spec.node_name.as_deref());
        match wanted.filter(|name| !name.is_empty()) {
            Some(name) if name != node.name() => {
                Verdict::unresolvable("node(s) didn't match the requested node name")
            }
            _ => Verdict::Success,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{node, pod};

    #[test]
    fn a_named_node_is_the_only_one() {
        let named = pod("a").on("n1").info();
        assert!(NodeName.filter(&named, &node("n1").info()).is_success());
        assert!(NodeName.filter(&named, &node("n2").info()).is_rejection());
        let free = pod("a").info();
        assert!(NodeName.filter(&free, &node("n2").info()).is_success());
    }
}
