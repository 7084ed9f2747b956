//! Nodes: believing them while they report, and doing without them when they don't.
//!
//! A node's agent renews a Lease every ten seconds and reports conditions. When neither has been
//! heard for a while ([`heartbeat`]), what it last said is marked as unknown; what the conditions
//! mean is written as taints ([`plan`]), pods there no longer count as ready, and those that don't
//! tolerate it are evicted ([`eviction`]).

mod eviction;
mod heartbeat;
mod plan;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use k8s_apimachinery::pod::readiness;
use k8s_openapi::{
    api::{
        coordination::v1::Lease,
        core::v1::{Node, Pod},
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use k8s_runtime::{
    Action, Context, Controller, Event, EventRecorder, Key, Store, index, reference,
};
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;

use heartbeat::Heartbeat;

/// Rounds that may run side by side.
const WORKERS: usize = 8;
/// Where nodes keep their leases, each under the node's name.
const LEASES: &str = "kube-node-lease";

/// Runs both halves, lifecycle and eviction, until the context is cancelled.
pub async fn run(ctx: Context) {
    tokio::join!(watch_nodes(ctx.clone()), eviction::run(ctx));
}

async fn watch_nodes(ctx: Context) {
    let nodes = ctx.hub.informer::<Node>();
    let leases = ctx.hub.informer::<Lease>();
    let pods = ctx.hub.informer::<Pod>();
    pods.add_index(index::POD_BY_NODE, index::pod_node);
    let monitor = Arc::new(Monitor {
        nodes: nodes.store(),
        leases: leases.store(),
        pods: pods.store(),
        heartbeats: Mutex::default(),
        events: EventRecorder::new(&ctx, "node-controller"),
        ctx: ctx.clone(),
    });
    let by_pod = monitor.clone();
    Controller::new("node-lifecycle", ctx)
        .owns_keys(&nodes)
        .on(&leases, of_lease)
        .on(&pods, move |event| by_pod.of_pod(event))
        .run(WORKERS, move |key| {
            let round = monitor.clone();
            async move { round.reconcile(key).await }
        })
        .await;
}

fn of_lease(event: &Event<Lease>) -> Vec<Key> {
    let meta = &event.object().metadata;
    let is_node = meta.namespace.as_deref() == Some(LEASES);
    let name = meta.name.clone().filter(|_| is_node);
    name.map(Key::cluster).into_iter().collect()
}

struct Monitor {
    ctx: Context,
    nodes: Store<Node>,
    leases: Store<Lease>,
    pods: Store<Pod>,
    heartbeats: Mutex<BTreeMap<Key, Heartbeat>>,
    events: EventRecorder,
}

impl Monitor {
    async fn reconcile(&self, key: Key) -> Result<Action, kube::Error> {
        let Some(node) = self.nodes.get(&key) else {
            if self.forget(&key) {
                tracing::info!(node = %key, "the node is gone");
            }
            return Ok(Action::Done);
        };
        let now = self.ctx.clock.now();
        let lease = self.leases.get(&Key::new(LEASES, &key.name));
        let silence = self.hear(&key, &node, lease.as_deref(), now).silence(now);
        let plan = plan::plan(&node, silence, self.may_evict(), now);
        let mut latest = Node::clone(&node);
        let api: Api<Node> = Api::all(self.ctx.client.clone());
        let params = PostParams::default();
        if let Some(conditions) = plan.conditions {
            tracing::warn!(node = %key, ?silence, "the node is silent");
            latest.status.get_or_insert_default().conditions = Some(conditions);
            latest = api.replace_status(&key.name, &params, &latest).await?;
            let message = format!("Node {key} status is now: NodeNotReady");
            self.events
                .normal(reference(&latest), "NodeNotReady", message);
        }
        if let Some(taints) = plan.taints {
            let spec = latest.spec.get_or_insert_default();
            spec.taints = Some(taints).filter(|taints| !taints.is_empty());
            api.replace(&key.name, &params, &latest).await?;
        }
        if !plan.is_ready {
            self.mark_pods(&key.name, now).await?;
        }
        Ok(plan.again.map_or(Action::Done, Action::After))
    }

    /// Notes a sign of life, if there is a new one.
    fn hear(&self, key: &Key, node: &Node, lease: Option<&Lease>, now: Timestamp) -> Heartbeat {
        let mut heartbeats = self
            .heartbeats
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = heartbeats.get(key);
        if before.is_none() {
            let message = format!("Node {key} event: Registered Node {key} in Controller");
            self.events
                .normal(reference(node), "RegisteredNode", message);
        }
        let heard = Heartbeat::next(before, node, lease, now);
        heartbeats.insert(key.clone(), heard.clone());
        heard
    }

    fn forget(&self, key: &Key) -> bool {
        let mut heartbeats = self
            .heartbeats
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        heartbeats.remove(key).is_some()
    }

    /// As long as one node is well, the trouble is with the others.
    fn may_evict(&self) -> bool {
        let nodes = self.nodes.list();
        nodes
            .iter()
            .any(|node| plan::status(plan::conditions_of(node), "Ready") == "True")
    }

    /// Pods of a node that isn't ready don't serve, whatever they last said.
    async fn mark_pods(&self, node: &str, now: Timestamp) -> Result<(), kube::Error> {
        for pod in self.pods.by_index(index::POD_BY_NODE, node) {
            if !readiness::is_ready(&pod) {
                continue;
            }
            let key = Key::of(&*pod);
            let change = json!({
                "metadata": {"uid": pod.metadata.uid},
                "status": {"conditions": [
                    {"type": "Ready", "status": "False", "lastTransitionTime": Time(now)},
                ]},
            });
            let api: Api<Pod> = Api::namespaced(self.ctx.client.clone(), &key.namespace);
            let (change, params) = (Patch::Strategic(change), PatchParams::default());
            match api.patch_status(&key.name, &params, &change).await {
                Err(kube::Error::Api(status)) if status.is_not_found() => continue,
                other => drop(other?),
            }
            let about = reference(&*pod);
            self.events
                .warning(about, "NodeNotReady", "Node is not ready");
        }
        Ok(())
    }

    /// A pod that says it is ready on a node that isn't.
    fn of_pod(&self, event: &Event<Pod>) -> Vec<Key> {
        let pod = event.object();
        let node = readiness::node_name(pod).filter(|_| readiness::is_ready(pod));
        let key = node.map(Key::cluster);
        let is_concern = |key: &Key| {
            let node = self.nodes.get(key);
            node.is_some_and(|node| plan::status(plan::conditions_of(&node), "Ready") != "True")
        };
        key.filter(is_concern).into_iter().collect()
    }
}
