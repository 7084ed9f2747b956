//! Secondary indexes of a [`Store`](crate::Store), and those that several components share.
//!
//! An index maps each object to the values it is found under. Adding one under a name that exists
//! changes nothing, so every component may add what it needs to a shared informer.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use k8s_openapi::api::core::v1::Pod;
use kube::Resource;

use crate::Key;

/// Index of pods by the node they are bound to: use with [`pod_node`].
pub const POD_BY_NODE: &str = "spec.nodeName";

/// Index of any kind by the uid of the controller that owns it: use with [`controller_uid`].
pub const BY_OWNER: &str = "metadata.ownerReferences[controller].uid";

/// The node that a pod is bound to; none while it is unscheduled.
pub fn pod_node(pod: &Pod) -> Vec<String> {
    pod.spec
        .iter()
        .filter_map(|spec| spec.node_name.clone())
        .filter(|node| !node.is_empty())
        .collect()
}

/// The uid of the owner that controls an object (its one owner reference with `controller: true`).
pub fn controller_uid<K: Resource>(object: &K) -> Vec<String> {
    let owners = object.meta().owner_references.iter().flatten();
    owners
        .filter(|owner| owner.controller == Some(true))
        .map(|owner| owner.uid.clone())
        .collect()
}

/// What an index does with an object: the values that it shall be found under.
pub(crate) type Extract<K> = Arc<dyn Fn(&K) -> Vec<String> + Send + Sync>;

/// One index: the function, and what it has found so far.
pub(crate) struct Index<K> {
    pub(crate) name: &'static str,
    extract: Extract<K>,
    keys: BTreeMap<String, BTreeSet<Arc<Key>>>,
}

impl<K> Index<K> {
    pub(crate) fn new(name: &'static str, extract: Extract<K>) -> Self {
        Self {
            name,
            extract,
            keys: BTreeMap::new(),
        }
    }

    pub(crate) fn insert(&mut self, key: &Arc<Key>, object: &K) {
        for value in (self.extract)(object) {
            self.keys.entry(value).or_default().insert(key.clone());
        }
    }

    pub(crate) fn remove(&mut self, key: &Key, object: &K) {
        for value in (self.extract)(object) {
            if let Some(keys) = self.keys.get_mut(&value) {
                keys.remove(key);
                if keys.is_empty() {
                    self.keys.remove(&value);
                }
            }
        }
    }

    pub(crate) fn keys(&self, value: &str) -> impl Iterator<Item = &Arc<Key>> {
        self.keys.get(value).into_iter().flatten()
    }
}
