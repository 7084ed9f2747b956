//! The cluster as one scheduling cycle sees it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use k8s_openapi::api::core::v1::{Node, Pod};

use super::{Cache, NodeInfo, Storage};

/// All nodes with their pods, ordered by name. Nothing in it ever changes.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub(super) nodes: Vec<Arc<NodeInfo>>,
    pub(super) index: HashMap<String, usize>,
    pub(super) image_nodes: Arc<BTreeMap<String, usize>>,
    pub(super) storage: Arc<Storage>,
}

impl Snapshot {
    /// A snapshot made by hand: nodes, and pods whose `spec.nodeName` names one of them.
    pub fn of(nodes: impl IntoIterator<Item = Node>, pods: impl IntoIterator<Item = Pod>) -> Self {
        let mut cache = Cache::default();
        for node in nodes {
            cache.set_node(Arc::new(node));
        }
        for pod in pods {
            cache.set_pod(Arc::new(pod));
        }
        Arc::unwrap_or_clone(cache.snapshot())
    }

    /// The same with claims and volumes.
    pub fn with_storage(self, storage: Storage) -> Self {
        Self {
            storage: Arc::new(storage),
            ..self
        }
    }

    /// Claims and volumes.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// The nodes, ordered by name.
    pub fn nodes(&self) -> &[Arc<NodeInfo>] {
        &self.nodes
    }

    /// The node of this name.
    pub fn node(&self, name: &str) -> Option<&Arc<NodeInfo>> {
        self.nodes.get(*self.index.get(name)?)
    }

    /// On how many nodes an image of this name is present.
    pub fn nodes_with_image(&self, name: &str) -> usize {
        self.image_nodes.get(name).copied().unwrap_or(0)
    }
}
