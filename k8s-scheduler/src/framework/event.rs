//! What happens in the cluster that could let a rejected pod fit.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, PersistentVolumeClaim, Pod};

/// A sort of change. Each plugin names those that could undo its rejections
/// ([`Plugin::events`](super::Plugin::events)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClusterEvent {
    /// A node joined.
    NodeAdded,
    /// A node's labels changed.
    NodeLabelsChanged,
    /// A node's taints changed.
    NodeTaintsChanged,
    /// A node was cordoned or uncordoned.
    NodeUnschedulableChanged,
    /// A node's allocatable resources changed.
    NodeAllocatableChanged,
    /// A pod landed on a node.
    AssignedPodAdded,
    /// A pod that runs on a node changed.
    AssignedPodUpdated,
    /// A pod left its node, or ended.
    AssignedPodDeleted,
    /// A claim was made.
    PersistentVolumeClaimAdded,
    /// A claim changed.
    PersistentVolumeClaimUpdated,
    /// A volume was made.
    PersistentVolumeAdded,
    /// A volume changed.
    PersistentVolumeUpdated,
    /// A storage class was made.
    StorageClassAdded,
    /// A storage class changed.
    StorageClassUpdated,
    /// A node told of its CSI drivers for the first time.
    CsiNodeAdded,
    /// A node's CSI drivers changed.
    CsiNodeUpdated,
    /// A CSI driver was installed.
    CsiDriverAdded,
    /// A CSI driver changed in what it can.
    CsiDriverUpdated,
    /// A CSI driver told of room that it has.
    CsiStorageCapacityAdded,
    /// A CSI driver's room changed.
    CsiStorageCapacityUpdated,
    /// A volume was detached from a node.
    VolumeAttachmentDeleted,
}

/// One change, with what changed: plugins look closer in
/// [`Plugin::may_help`](super::Plugin::may_help).
#[derive(Clone, Debug)]
pub struct Change {
    /// What sort.
    pub event: ClusterEvent,
    /// The node's new state, for node events.
    pub node: Option<Arc<Node>>,
    /// The pod's newest state, for pod events.
    pub pod: Option<Arc<Pod>>,
    /// The claim's new state, for claim events.
    pub claim: Option<Arc<PersistentVolumeClaim>>,
}

impl Change {
    /// A change that needs no closer look.
    pub fn of(event: ClusterEvent) -> Self {
        Self {
            event,
            node: None,
            pod: None,
            claim: None,
        }
    }

    /// A change of a claim.
    pub fn of_claim(event: ClusterEvent, claim: &Arc<PersistentVolumeClaim>) -> Self {
        Self {
            claim: Some(claim.clone()),
            ..Self::of(event)
        }
    }

    /// A change of a pod that has a node.
    pub fn of_pod(event: ClusterEvent, pod: &Arc<Pod>) -> Self {
        Self {
            pod: Some(pod.clone()),
            ..Self::of(event)
        }
    }

    /// A node that is new.
    pub fn node_added(node: &Arc<Node>) -> Self {
        Self::of_node(ClusterEvent::NodeAdded, node)
    }

    /// What differs between two states of a node; heartbeats differ in nothing that counts.
    pub fn between(old: &Node, new: &Arc<Node>) -> Vec<Self> {
        let taints = |node: &Node| node.spec.as_ref().and_then(|spec| spec.taints.clone());
        let cordoned = |node: &Node| node.spec.as_ref().and_then(|spec| spec.unschedulable);
        let room = |node: &Node| node.status.as_ref().and_then(|s| s.allocatable.clone());
        let mut changes = Vec::new();
        let mut note = |differs: bool, event| {
            if differs {
                changes.push(Self::of_node(event, new));
            }
        };
        note(
            old.metadata.labels != new.metadata.labels,
            ClusterEvent::NodeLabelsChanged,
        );
        note(taints(old) != taints(new), ClusterEvent::NodeTaintsChanged);
        note(
            cordoned(old) != cordoned(new),
            ClusterEvent::NodeUnschedulableChanged,
        );
        note(room(old) != room(new), ClusterEvent::NodeAllocatableChanged);
        changes
    }

    fn of_node(event: ClusterEvent, node: &Arc<Node>) -> Self {
        Self {
            node: Some(node.clone()),
            ..Self::of(event)
        }
    }
}
