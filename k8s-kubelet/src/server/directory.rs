//! Which nodes and pods there are, and whose.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use k8s_openapi::api::core::v1::Pod;
use k8s_runtime::Key;

use crate::agent::Agent;

/// The nodes and pods that a server serves. Cheap to clone; all clones are one directory.
#[derive(Clone, Default)]
pub struct Directory {
    pods: Arc<RwLock<HashMap<Key, Entry>>>,
    agents: Arc<RwLock<HashMap<String, Arc<Agent>>>>,
}

/// A pod and the agent that runs it.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) pod: Arc<Pod>,
    pub(crate) agent: Arc<Agent>,
}

impl Directory {
    /// A node begins to be served.
    pub(crate) fn join(&self, agent: Arc<Agent>) {
        let mut agents = self.agents.write().unwrap_or_else(PoisonError::into_inner);
        agents.insert(agent.config.name.clone(), agent);
    }

    /// A node is served no longer.
    pub(crate) fn leave(&self, node: &str) {
        let mut agents = self.agents.write().unwrap_or_else(PoisonError::into_inner);
        agents.remove(node);
    }

    /// The only node's agent. Paths don't name nodes, so a server of several can't tell whose is meant.
    pub(crate) fn agent(&self) -> Option<Arc<Agent>> {
        let agents = self.agents.read().unwrap_or_else(PoisonError::into_inner);
        let mut all = agents.values();
        let first = all.next()?;
        all.next().is_none().then(|| first.clone())
    }

    pub(crate) fn put(&self, pod: Arc<Pod>, agent: Arc<Agent>) {
        let key = Key::of(&*pod);
        self.pods
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, Entry { pod, agent });
    }

    /// Removes a pod, unless a namesake has taken its place.
    pub(crate) fn remove(&self, key: &Key, uid: &str) {
        let mut pods = self.pods.write().unwrap_or_else(PoisonError::into_inner);
        if pods
            .get(key)
            .is_some_and(|entry| entry.pod.metadata.uid.as_deref() == Some(uid))
        {
            pods.remove(key);
        }
    }

    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<Entry> {
        let pods = self.pods.read().unwrap_or_else(PoisonError::into_inner);
        pods.get(&Key::new(namespace, name)).cloned()
    }

    pub(crate) fn list(&self) -> Vec<Arc<Pod>> {
        let pods = self.pods.read().unwrap_or_else(PoisonError::into_inner);
        pods.values().map(|entry| entry.pod.clone()).collect()
    }
}
