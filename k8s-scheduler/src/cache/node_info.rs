//! A node with what runs on it, summed up.

use std::{collections::BTreeMap, sync::Arc};

use k8s_apimachinery::pod::{port::HostPort, request::Resources};
use k8s_openapi::api::core::v1::Node;
use k8s_runtime::Key;

use super::PodInfo;

/// Bytes of images, by name.
pub type Images = BTreeMap<String, i64>;

/// A node, its pods (assumed ones included), and their sums.
#[derive(Clone, Debug, Default)]
pub struct NodeInfo {
    /// The node as it was read.
    pub node: Arc<Node>,
    /// The pods on it, ordered by key.
    pub pods: Vec<Arc<PodInfo>>,
    /// What it offers to pods.
    pub allocatable: Resources,
    /// How many pods it takes.
    pub allowed_pods: usize,
    /// What its pods request.
    pub requested: Resources,
    /// What its pods request, with assumed amounts for those that say nothing.
    pub scoring_requested: Resources,
    /// The host ports in use.
    pub host_ports: Vec<HostPort>,
    /// Bytes of each image on it, by every name that the image goes by.
    pub images: Arc<Images>,
    /// Grows with every change of this node or its pods, over all nodes.
    pub generation: u64,
}

impl NodeInfo {
    /// A node without pods.
    pub fn new(node: Arc<Node>) -> Self {
        let mut info = Self::default();
        info.set_node(node);
        info
    }

    /// The node's name.
    pub fn name(&self) -> &str {
        self.node.metadata.name.as_deref().unwrap_or_default()
    }

    /// Replaces the node's own facts; its pods stay.
    pub fn set_node(&mut self, node: Arc<Node>) {
        let status = node.status.as_ref();
        let offered = status.and_then(|s| s.allocatable.as_ref());
        self.allocatable = offered.map(Resources::from_list).unwrap_or_default();
        self.allowed_pods = usize::try_from(self.allocatable.get("pods")).unwrap_or(0);
        let images = status.and_then(|s| s.images.as_ref()).into_iter().flatten();
        let named = images.flat_map(|image| {
            let size = image.size_bytes.unwrap_or(0);
            let names = image.names.iter().flatten();
            names.map(move |name| (name.clone(), size))
        });
        self.images = Arc::new(named.collect());
        self.node = node;
    }

    /// Puts a pod on the node, in place of one of the same name.
    pub fn add_pod(&mut self, pod: Arc<PodInfo>) {
        self.remove_pod(&pod.key);
        self.requested.add(&pod.requests);
        self.scoring_requested.add(&pod.scoring_requests);
        self.host_ports.extend(pod.host_ports.iter().cloned());
        let at = self.pods.partition_point(|other| other.key < pod.key);
        self.pods.insert(at, pod);
    }

    /// Takes a pod off the node.
    pub fn remove_pod(&mut self, key: &Key) -> Option<Arc<PodInfo>> {
        let at = self.pods.binary_search_by(|pod| pod.key.cmp(key)).ok()?;
        let pod = self.pods.remove(at);
        self.requested.sub(&pod.requests);
        self.scoring_requested.sub(&pod.scoring_requests);
        if !pod.host_ports.is_empty() {
            let left = self.pods.iter().flat_map(|pod| pod.host_ports.iter());
            self.host_ports = left.cloned().collect();
        }
        Some(pod)
    }
}
