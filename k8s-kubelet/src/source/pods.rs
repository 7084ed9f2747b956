//! The pods bound to a node, out of one stream of all pods.
//!
//! Thousands of hollow nodes in one process would each wake for every pod if each subscribed by
//! itself. One task subscribes instead and hands each change to the node that it concerns.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use k8s_runtime::{Hub, Informer, index};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::event::Event;

/// Distributes pods to nodes. Cheap to clone; its task ends with the last clone.
#[derive(Clone)]
pub struct PodSource {
    informer: Informer<Pod>,
    nodes: Arc<Nodes>,
    _task: Arc<AbortOnDropHandle<()>>,
}

type Nodes = Mutex<HashMap<String, mpsc::UnboundedSender<Event>>>;

impl PodSource {
    /// A source over the pods that a hub holds.
    ///
    /// # Panics
    /// When called outside a Tokio runtime.
    pub fn new(hub: &Hub) -> Self {
        Self::over(hub.informer::<Pod>())
    }

    /// A source over an informer that the caller runs, such as one that selects a single node's
    /// pods: what an agent may watch with nothing but its own node's rights.
    ///
    /// # Panics
    /// When called outside a Tokio runtime.
    pub fn over(informer: Informer<Pod>) -> Self {
        informer.add_index(index::POD_BY_NODE, index::pod_node);
        let nodes: Arc<Nodes> = Arc::default();
        let task = tokio::spawn(distribute(informer.clone(), nodes.clone()));
        Self {
            informer,
            nodes,
            _task: Arc::new(AbortOnDropHandle::new(task)),
        }
    }

    /// The changes of a node's pods: first all that exist, then [`Event::Synced`], then what
    /// changes. The channel is unbounded but its entries are shared pods, and the agent takes them
    /// at once.
    pub async fn node(&self, name: &str) -> mpsc::UnboundedReceiver<Event> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.informer.synced().await;
        // Registered first: a change that comes between is announced twice, never lost.
        self.nodes().insert(name.to_owned(), sender.clone());
        for pod in self.informer.store().by_index(index::POD_BY_NODE, name) {
            let _ = sender.send(Event::Pod(pod));
        }
        let _ = sender.send(Event::Synced);
        receiver
    }

    fn nodes(&self) -> std::sync::MutexGuard<'_, HashMap<String, mpsc::UnboundedSender<Event>>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn distribute(informer: Informer<Pod>, nodes: Arc<Nodes>) {
    use k8s_runtime::Event as Change;
    let mut changes = informer.subscribe();
    while let Some(change) = changes.next().await {
        let event = match &change {
            Change::Added(pod) | Change::Updated { new: pod, .. } => Event::Pod(pod.clone()),
            Change::Deleted(pod) => Event::Gone(pod.clone()),
        };
        let Some(node) = index::pod_node(change.object()).pop() else {
            continue;
        };
        let mut nodes = nodes.lock().unwrap_or_else(PoisonError::into_inner);
        if nodes
            .get(&node)
            .is_some_and(|sender| sender.send(event).is_err())
        {
            nodes.remove(&node);
        }
    }
}
