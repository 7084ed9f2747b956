//! Acting on the graph: asking the API about owners it hasn't shown, deleting, unlinking.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_runtime::{Action, Queue};
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions, PropagationPolicy},
    core::PartialObjectMeta,
};
use serde_json::{Value, json};

use super::{
    graph::{FOREGROUND, Graph, Node, ORPHAN, Uid, Work},
    plan::{OwnerState, Verdict, judge},
    resource::{Resource, Resources},
};

/// What goes wrong in a round.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("discovery knows no {kind} of {api_version}")]
    UnknownKind { api_version: String, kind: String },
    #[error(transparent)]
    Api(#[from] kube::Error),
}

/// The graph, the queue, and the API: what rounds share.
pub(super) struct Collector {
    client: Client,
    graph: Mutex<Graph>,
    resources: Mutex<Resources>,
    pub(super) queue: Queue<Work>,
}

impl Collector {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            graph: Mutex::default(),
            resources: Mutex::default(),
            queue: Queue::new(),
        }
    }

    /// Changes the graph and queues what follows from that.
    pub(super) fn change(&self, change: impl FnOnce(&mut Graph) -> Vec<Work>) {
        let work = change(&mut self.graph());
        for item in work {
            self.queue.add(item);
        }
    }

    pub(super) fn set_resources(&self, resources: Resources) {
        *self
            .resources
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = resources;
    }

    pub(super) async fn process(self: Arc<Self>, work: Work) -> Result<Action, Failure> {
        match work {
            Work::Delete(uid) => self.consider(&uid).await?,
            Work::Orphan(uid) => self.orphan_dependents(&uid).await?,
        }
        Ok(Action::Done)
    }

    /// Deletes an object that no owner keeps; lets one go that waited for its dependents.
    async fn consider(&self, uid: &Uid) -> Result<(), Failure> {
        let Some(node) = self.graph().get(uid).cloned() else {
            return Ok(());
        };
        if node.waits_for_dependents() {
            return self.finish_foreground(&node).await;
        }
        if node.is_deleting || node.owners.is_empty() {
            return Ok(());
        }
        let mut states = Vec::with_capacity(node.owners.len());
        for owner in &node.owners {
            states.push(self.state_of(owner, &node).await?);
        }
        let has_dependents = self.graph().dependents(uid).next().is_some();
        match judge(&node, &states, has_dependents) {
            Verdict::Keep => Ok(()),
            Verdict::Unlink(owners) => self.patch(&node, json!({"ownerReferences": owners})).await,
            Verdict::Delete(policy) => self.delete(&node, policy).await,
            Verdict::DeleteForeground => {
                self.break_cycles(&node).await?;
                self.delete(&node, PropagationPolicy::Foreground).await
            }
        }
    }

    /// What the graph shows is present; of the rest, the API is asked.
    async fn state_of(&self, owner: &OwnerReference, node: &Node) -> Result<OwnerState, Failure> {
        {
            let graph = self.graph();
            if let Some(known) = graph.get(&owner.uid) {
                return Ok(match known.waits_for_dependents() {
                    true => OwnerState::Waiting,
                    false => OwnerState::Present,
                });
            }
            if graph.is_absent(&owner.uid) {
                return Ok(OwnerState::Absent);
            }
        }
        let resource = self.resource_of(owner)?;
        if resource.is_namespaced && node.key.namespace.is_empty() {
            // A cluster-scoped object can't have an owner inside a namespace.
            return Ok(OwnerState::Absent);
        }
        let api = self.api(&resource, &node.key.namespace);
        match api.get_metadata_opt(&owner.name).await? {
            Some(live) if live.metadata.uid.as_ref() == Some(&owner.uid) => {
                let live = Node::new(resource, &live.metadata);
                Ok(match live.waits_for_dependents() {
                    true => OwnerState::Waiting,
                    false => OwnerState::Present,
                })
            }
            _ => {
                self.graph().note_absent(&owner.uid);
                Ok(OwnerState::Absent)
            }
        }
    }

    /// Lets an object go whose blocking dependents are all gone; else looks at those again.
    async fn finish_foreground(&self, node: &Node) -> Result<(), Failure> {
        let blocking: Vec<Work> = {
            let graph = self.graph();
            let blocking = graph.blocking(&node.uid);
            blocking
                .map(|dependent| Work::Delete(dependent.uid.clone()))
                .collect()
        };
        if blocking.is_empty() {
            return self.remove_finalizer(node, FOREGROUND).await;
        }
        let is_waiting = |work: &Work| match work {
            Work::Delete(uid) => {
                let graph = self.graph();
                graph.get(uid).is_some_and(Node::waits_for_dependents)
            }
            Work::Orphan(_) => false,
        };
        for work in blocking {
            if !is_waiting(&work) {
                self.queue.add(work);
            }
        }
        Ok(())
    }

    /// A dependent that itself waits for this object (a cycle of owners) would wait for ever: it
    /// no longer holds this object up.
    async fn break_cycles(&self, node: &Node) -> Result<(), Failure> {
        let waiting: Vec<Node> = {
            let graph = self.graph();
            let dependents = graph.dependents(&node.uid);
            dependents
                .filter(|dependent| dependent.waits_for_dependents())
                .cloned()
                .collect()
        };
        for mut dependent in waiting {
            for owner in &mut dependent.owners {
                if owner.uid == *node.uid {
                    owner.block_owner_deletion = Some(false);
                }
            }
            let change = json!({"ownerReferences": dependent.owners});
            self.patch(&dependent, change).await?;
        }
        Ok(())
    }

    async fn orphan_dependents(&self, uid: &Uid) -> Result<(), Failure> {
        let (node, dependents) = {
            let graph = self.graph();
            let Some(node) = graph.get(uid).cloned() else {
                return Ok(());
            };
            let dependents: Vec<Node> = graph.dependents(uid).cloned().collect();
            (node, dependents)
        };
        for mut dependent in dependents {
            dependent.owners.retain(|owner| owner.uid != **uid);
            let change = json!({"ownerReferences": dependent.owners});
            self.patch(&dependent, change).await?;
        }
        self.remove_finalizer(&node, ORPHAN).await
    }

    async fn remove_finalizer(&self, node: &Node, finalizer: &str) -> Result<(), Failure> {
        let mut left = node.finalizers.clone();
        left.retain(|known| known != finalizer);
        self.patch(node, json!({"finalizers": left})).await
    }

    /// The revision in each write makes one that rests on an old view fail, and come back.
    async fn patch(&self, node: &Node, mut change: Value) -> Result<(), Failure> {
        change["resourceVersion"] = node.rv.clone().into();
        let change = Patch::Merge(json!({"metadata": change}));
        let api = self.api(&node.resource, &node.key.namespace);
        let params = PatchParams::default();
        let patched = api.patch_metadata(&node.key.name, &params, &change).await;
        gone_is_fine(patched)
    }

    async fn delete(&self, node: &Node, policy: PropagationPolicy) -> Result<(), Failure> {
        let params = DeleteParams {
            propagation_policy: Some(policy),
            preconditions: Some(Preconditions {
                uid: Some(node.uid.to_string()),
                resource_version: Some(node.rv.clone()),
            }),
            ..DeleteParams::default()
        };
        tracing::debug!(kind = node.resource.api.kind, key = %node.key, "no owner is left");
        let api = self.api(&node.resource, &node.key.namespace);
        gone_is_fine(api.delete(&node.key.name, &params).await)
    }

    fn resource_of(&self, owner: &OwnerReference) -> Result<Arc<Resource>, Failure> {
        let resources = self
            .resources
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let found = resources.find(&owner.api_version, &owner.kind).cloned();
        found.ok_or_else(|| Failure::UnknownKind {
            api_version: owner.api_version.clone(),
            kind: owner.kind.clone(),
        })
    }

    fn api(&self, resource: &Resource, namespace: &str) -> Api<DynamicObject> {
        if resource.is_namespaced {
            Api::namespaced_with(self.client.clone(), namespace, &resource.api)
        } else {
            Api::all_with(self.client.clone(), &resource.api)
        }
    }

    fn graph(&self) -> MutexGuard<'_, Graph> {
        self.graph.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Feeds the graph from the watch of one resource.
pub(super) struct Feed {
    pub(super) collector: Arc<Collector>,
    pub(super) resource: Arc<Resource>,
    pub(super) synced: tokio::sync::watch::Sender<bool>,
}

impl Feed {
    fn node(&self, object: &PartialObjectMeta<DynamicObject>) -> Node {
        Node::new(self.resource.clone(), &object.metadata)
    }
}

impl k8s_runtime::Sink<PartialObjectMeta<DynamicObject>> for Feed {
    fn replace(&mut self, objects: Vec<PartialObjectMeta<DynamicObject>>, _rv: &str) {
        let nodes: Vec<Node> = objects.iter().map(|object| self.node(object)).collect();
        let kept: std::collections::BTreeSet<Uid> =
            nodes.iter().map(|node| node.uid.clone()).collect();
        self.collector.change(|graph| {
            let mut work = Vec::new();
            for uid in graph.uids_of(&self.resource) {
                if !kept.contains(&uid) {
                    work.extend(graph.forget(&uid));
                }
            }
            for node in nodes {
                work.extend(graph.observe(node));
            }
            work
        });
        self.synced.send_replace(true);
    }

    fn apply(&mut self, object: PartialObjectMeta<DynamicObject>) {
        let node = self.node(&object);
        self.collector.change(|graph| graph.observe(node));
    }

    fn delete(&mut self, object: PartialObjectMeta<DynamicObject>) {
        let uid = object.metadata.uid.unwrap_or_default();
        self.collector.change(|graph| graph.forget(&uid));
    }

    fn bookmark(&mut self, _rv: &str) {}
}

fn gone_is_fine<T>(result: Result<T, kube::Error>) -> Result<(), Failure> {
    match result {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        other => Ok(other.map(drop)?),
    }
}
