//! Whether the node takes a pod that was bound to it. Pure.
//!
//! The scheduler has asked the same, but on its own view of the node, and some pods never met it. A pod
//! that is refused fails with a reason, in Kubernetes' words.

use std::{fmt, sync::Arc};

use k8s_apimachinery::pod::{
    affinity, port,
    qos::{self, QosClass},
    request::{self, Resources},
    taint,
};
use k8s_openapi::api::core::v1::{Node, Pod, Taint};

use super::asked;
use crate::{eviction::Pressures, source::annotation};

/// Pods of this priority and above are needed by the system itself.
const SYSTEM_CRITICAL: i32 = 2_000_000_000;
const OS_LABEL: &str = "kubernetes.io/os";
const OS: &str = "linux";

/// What a decision rests on beside the pods.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a> {
    /// Labels, taints and allocatable resources.
    pub(crate) node: &'a Node,
    /// What the node is short of.
    pub(crate) pressures: &'a Pressures,
}

/// Why a pod isn't taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    /// One word, such as `OutOfcpu`.
    pub(crate) reason: String,
    /// More.
    pub(crate) message: String,
}

/// An amount that the node doesn't have.
struct Shortage {
    resource: String,
    requested: i64,
    used: i64,
    capacity: i64,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Node didn't have enough resource: {}, requested: {}, used: {}, capacity: {}",
            self.resource, self.requested, self.used, self.capacity
        )
    }
}

impl Rejection {
    fn new(reason: &str, message: impl Into<String>) -> Self {
        Self {
            reason: reason.to_owned(),
            message: message.into(),
        }
    }

    fn predicate(name: &str, what: &str) -> Self {
        Self::new(name, format!("Predicate {name} failed: {what}"))
    }

    /// Whether a newer look at the node's labels may change it.
    pub(crate) fn is_about_labels(&self) -> bool {
        self.reason == "NodeAffinity"
    }
}

/// Whether the system itself needs the pod, so that it is taken under pressure and never evicted.
pub(crate) fn is_critical(pod: &Pod) -> bool {
    let priority = pod.spec.as_ref().and_then(|spec| spec.priority);
    annotation::is_static(pod)
        || annotation::is_mirror(pod)
        || priority.is_some_and(|priority| priority >= SYSTEM_CRITICAL)
}

/// Whether the node takes the pod beside the others. One that ran here before the agent's restart isn't put out
/// because labels or taints have changed since.
pub(super) fn admit(
    pod: &Pod,
    others: &[Arc<Pod>],
    ground: &Ground<'_>,
    is_running: bool,
) -> Result<(), Rejection> {
    pressure(pod, ground.pressures)?;
    system(pod, ground.node)?;
    if let Some(shortage) = shortage(pod, others, ground.node) {
        let reason = format!("OutOf{}", shortage.resource);
        return Err(Rejection::new(&reason, shortage.to_string()));
    }
    if !is_running && !affinity::matches_required(pod, ground.node) {
        let what = "node(s) didn't match Pod's node affinity/selector";
        return Err(Rejection::predicate("NodeAffinity", what));
    }
    let spec = pod.spec.as_ref();
    let bound = spec.and_then(|spec| spec.node_name.as_deref());
    if bound.is_some_and(|bound| Some(bound) != ground.node.metadata.name.as_deref()) {
        let what = "node(s) didn't match the requested node name";
        return Err(Rejection::predicate("NodeName", what));
    }
    let in_use: Vec<_> = others
        .iter()
        .flat_map(|pod| port::host_ports(pod))
        .collect();
    if port::find_conflict(&port::host_ports(pod), &in_use).is_some() {
        let what = "node(s) didn't have free ports for the requested pod ports";
        return Err(Rejection::predicate("NodePorts", what));
    }
    let repelling = taint::find_untolerated(
        taint::taints(ground.node),
        taint::tolerations(pod),
        &[taint::NO_EXECUTE],
    );
    if !is_running && !annotation::is_static(pod) && repelling.is_some() {
        let what = "node(s) had taints that the pod didn't tolerate";
        return Err(Rejection::predicate("TaintToleration", what));
    }
    Ok(())
}

/// Under pressure only critical pods are taken; short of memory alone, those that request some as well.
pub(super) fn pressure(pod: &Pod, pressures: &Pressures) -> Result<(), Rejection> {
    if pressures.is_empty() || is_critical(pod) {
        return Ok(());
    }
    if pressures.is_memory_alone() {
        let memory = Taint {
            key: taint::NODE_MEMORY_PRESSURE.to_owned(),
            effect: taint::NO_SCHEDULE.to_owned(),
            ..Taint::default()
        };
        let mut tolerations = taint::tolerations(pod).iter();
        let is_modest = qos::class(pod) != QosClass::BestEffort;
        if is_modest || tolerations.any(|toleration| taint::tolerates(toleration, &memory)) {
            return Ok(());
        }
    }
    let message = format!("The node had condition: {pressures}. ");
    Err(Rejection::new("Evicted", message))
}

fn system(pod: &Pod, node: &Node) -> Result<(), Rejection> {
    let labels = node.metadata.labels.as_ref();
    let own = labels.and_then(|labels| labels.get(OS_LABEL));
    let own = own.map_or(OS, String::as_str);
    let wanted = pod.metadata.labels.as_ref();
    let wanted = wanted.and_then(|labels| labels.get(OS_LABEL));
    if wanted.is_some_and(|wanted| wanted != own) {
        return Err(Rejection::new(
            "PodOSSelectorNodeLabelDoesNotMatch",
            "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
        ));
    }
    let os = pod.spec.as_ref().and_then(|spec| spec.os.as_ref());
    if os.is_some_and(|os| os.name != OS) {
        return Err(Rejection::new(
            "PodOSNotSupported",
            "Failed to admit pod as the OS field doesn't match node OS",
        ));
    }
    Ok(())
}

/// The message of the first resource that doesn't suffice for the pod beside the others, if there is one.
pub(super) fn lack(pod: &Pod, others: &[Arc<Pod>], node: &Node) -> Option<String> {
    shortage(pod, others, node).map(|shortage| shortage.to_string())
}

/// The first resource that doesn't suffice for the pod beside the others.
fn shortage(pod: &Pod, others: &[Arc<Pod>], node: &Node) -> Option<Shortage> {
    let allocatable = allocatable(node);
    let pods = i64::try_from(others.len()).unwrap_or(i64::MAX);
    let capacity = allocatable.get("pods");
    if pods.saturating_add(1) > capacity {
        return Some(Shortage {
            resource: "pods".into(),
            requested: 1,
            used: pods,
            capacity,
        });
    }
    let mut used = Resources::default();
    for other in others {
        used.add(&request::requests(other));
    }
    let wanted = request::requests(&asked(pod));
    let mut wanted = wanted.iter().filter(|(name, _)| {
        // What the node never had is counted elsewhere: by the whole cluster, or by a driver.
        !is_extended(name) || allocatable.scalar.contains_key(*name)
    });
    wanted.find_map(|(name, requested)| {
        let (used, capacity) = (used.get(name), allocatable.get(name));
        (requested > capacity.saturating_sub(used)).then(|| Shortage {
            resource: name.to_owned(),
            requested,
            used,
            capacity,
        })
    })
}

/// What the node may promise.
pub(super) fn allocatable(node: &Node) -> Resources {
    let status = node.status.as_ref();
    let list = status.and_then(|status| status.allocatable.as_ref());
    list.map(Resources::from_list).unwrap_or_default()
}

fn is_extended(name: &str) -> bool {
    name.contains('/') && !name.contains("kubernetes.io/")
}
