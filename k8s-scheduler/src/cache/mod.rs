//! The scheduler's view of the cluster: what the API says, plus what it has decided but not yet
//! seen come back ("assumed" pods).
//!
//! The loop that schedules is the only owner. Nodes are shared with snapshots and copied on write,
//! so that a snapshot costs as much as what changed since the one before.

mod node_info;
mod pod_info;
mod snapshot;
mod storage;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use k8s_apimachinery::pod::readiness;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_runtime::Key;

pub use node_info::{Images, NodeInfo};
pub use pod_info::PodInfo;
pub use snapshot::Snapshot;
pub use storage::{Storage, Table};

/// Nodes and the pods on them.
#[derive(Debug, Default)]
pub struct Cache {
    nodes: BTreeMap<String, Entry>,
    pods: HashMap<Key, Placed>,
    image_nodes: Arc<BTreeMap<String, usize>>,
    generation: u64,
    snapshot: Arc<Snapshot>,
    /// Nodes that changed since the snapshot.
    changed: BTreeSet<String>,
    /// Nodes came or went since the snapshot.
    is_reshaped: bool,
}

#[derive(Debug, Default)]
struct Entry {
    info: Arc<NodeInfo>,
    /// False while only pods are known that name this node.
    exists: bool,
}

#[derive(Debug)]
struct Placed {
    pod: Arc<PodInfo>,
    node: String,
    is_assumed: bool,
}

impl Cache {
    /// A node appeared or changed.
    pub fn set_node(&mut self, node: Arc<Node>) {
        let name = node.metadata.name.clone().unwrap_or_default();
        let before = self.nodes.get(&name).filter(|entry| entry.exists);
        let had = before.map(|entry| entry.info.images.clone());
        self.is_reshaped |= had.is_none();
        let info = self.touch(&name);
        info.set_node(node);
        let has = info.images.clone();
        self.count_images(&had.unwrap_or_default(), &has);
        self.nodes.entry(name).or_default().exists = true;
    }

    /// A node is gone. Its pods stay known until they go, too.
    pub fn remove_node(&mut self, name: &str) {
        let Some(entry) = self.nodes.get_mut(name) else {
            return;
        };
        entry.exists = false;
        self.is_reshaped = true;
        let had = entry.info.images.clone();
        if entry.info.pods.is_empty() {
            self.nodes.remove(name);
        }
        self.count_images(&had, &Images::default());
    }

    /// A pod appeared or changed: counts on its node while it has one and hasn't ended.
    pub fn set_pod(&mut self, pod: Arc<Pod>) {
        let key = Key::of(&*pod);
        match readiness::node_name(&pod) {
            Some(node) if !readiness::is_terminal(&pod) => {
                let node = node.to_owned();
                self.place(Arc::new(PodInfo::new(pod)), node, false);
            }
            // The API doesn't know of the assumption yet: keep it.
            None if self.is_assumed(&pod) => {}
            _ => self.remove_pod(&key),
        }
    }

    /// A pod is gone.
    pub fn remove_pod(&mut self, key: &Key) {
        if let Some(placed) = self.pods.remove(key) {
            self.touch(&placed.node).remove_pod(key);
            let is_unused = |entry: &Entry| !entry.exists && entry.info.pods.is_empty();
            if self.nodes.get(&placed.node).is_some_and(is_unused) {
                self.nodes.remove(&placed.node);
            }
        }
    }

    /// Counts a pod on a node before the API has confirmed it.
    pub fn assume(&mut self, pod: Arc<PodInfo>, node: &str) {
        self.place(pod, node.to_owned(), true);
    }

    /// Takes an assumption back, unless the API has confirmed it meanwhile.
    pub fn forget(&mut self, key: &Key) {
        if self.pods.get(key).is_some_and(|placed| placed.is_assumed) {
            self.remove_pod(key);
        }
    }

    /// Whether this very pod counts on a node that the API hasn't confirmed.
    pub fn is_assumed(&self, pod: &Pod) -> bool {
        let is_same = |placed: &&Placed| placed.pod.pod.metadata.uid == pod.metadata.uid;
        let placed = self.pods.get(&Key::of(pod)).filter(is_same);
        placed.is_some_and(|placed| placed.is_assumed)
    }

    /// Claims and volumes, for writing. They are kept in the snapshot alone, so that following a change costs no more
    /// than the change, unless somebody still holds the last snapshot.
    pub fn storage(&mut self) -> &mut Storage {
        Arc::make_mut(&mut Arc::make_mut(&mut self.snapshot).storage)
    }

    /// The cluster now. As long as nothing changes it is the same `Arc`.
    pub fn snapshot(&mut self) -> Arc<Snapshot> {
        if self.is_reshaped {
            let nodes = self.nodes.values().filter(|entry| entry.exists);
            let nodes: Vec<_> = nodes.map(|entry| entry.info.clone()).collect();
            let names = nodes.iter().map(|info| info.name().to_owned());
            self.snapshot = Arc::new(Snapshot {
                index: names.zip(0..).collect(),
                nodes,
                image_nodes: self.image_nodes.clone(),
                storage: self.snapshot.storage.clone(),
            });
        } else if !self.changed.is_empty() {
            // In place when no reader holds the last one any more.
            let snapshot = Arc::make_mut(&mut self.snapshot);
            for name in &self.changed {
                if let (Some(&at), Some(entry)) = (snapshot.index.get(name), self.nodes.get(name)) {
                    snapshot.nodes[at] = entry.info.clone();
                }
            }
            snapshot.image_nodes = self.image_nodes.clone();
        }
        self.is_reshaped = false;
        self.changed.clear();
        self.snapshot.clone()
    }

    fn place(&mut self, pod: Arc<PodInfo>, node: String, is_assumed: bool) {
        self.remove_pod(&pod.key);
        self.touch(&node).add_pod(pod.clone());
        let placed = Placed {
            pod: pod.clone(),
            node,
            is_assumed,
        };
        self.pods.insert(pod.key.clone(), placed);
    }

    /// The node's entry for writing, made if need be.
    fn touch(&mut self, name: &str) -> &mut NodeInfo {
        self.generation += 1;
        self.changed.insert(name.to_owned());
        let entry = self.nodes.entry(name.to_owned()).or_default();
        let info = Arc::make_mut(&mut entry.info);
        info.generation = self.generation;
        info
    }

    fn count_images(&mut self, had: &Images, has: &Images) {
        if had.keys().eq(has.keys()) {
            return;
        }
        let counts = Arc::make_mut(&mut self.image_nodes);
        for name in has.keys() {
            *counts.entry(name.clone()).or_default() += 1;
        }
        for name in had.keys() {
            if let Some(count) = counts.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(name);
                }
            }
        }
    }
}
