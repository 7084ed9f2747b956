//! Taint eviction: pods leave nodes whose `NoExecute` taints they don't tolerate, at once or after
//! the time that they tolerate them for.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use k8s_apimachinery::pod::{
    readiness,
    taint::{self, Bearing, NO_EXECUTE},
};
use k8s_openapi::{
    api::core::v1::{Node, Pod, Taint},
    apimachinery::pkg::apis::meta::v1::Time,
};
use k8s_runtime::{
    Action, Context, Controller, Event, EventRecorder, Key, Store, index, reference,
};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use serde_json::json;

/// Rounds that may run side by side.
const WORKERS: usize = 8;

/// Runs the controller until the context is cancelled.
pub(super) async fn run(ctx: Context) {
    let pods = ctx.hub.informer::<Pod>();
    let nodes = ctx.hub.informer::<Node>();
    pods.add_index(index::POD_BY_NODE, index::pod_node);
    let evictor = Arc::new(Evictor {
        pods: pods.store(),
        nodes: nodes.store(),
        since: Mutex::default(),
        events: EventRecorder::new(&ctx, "taint-eviction-controller"),
        ctx: ctx.clone(),
    });
    let by_node = evictor.clone();
    Controller::new("taint-eviction", ctx)
        .on(&pods, of_pod)
        .on(&nodes, move |event| by_node.of_node(event))
        .run(WORKERS, move |key| {
            let round = evictor.clone();
            async move { round.reconcile(key).await }
        })
        .await;
}

struct Evictor {
    ctx: Context,
    pods: Store<Pod>,
    nodes: Store<Node>,
    /// When a pod was first seen under its node's taints.
    since: Mutex<BTreeMap<Key, Timestamp>>,
    events: EventRecorder,
}

/// A pod matters when it comes to a node, changes what it tolerates, or goes.
fn of_pod(event: &Event<Pod>) -> Vec<Key> {
    let pod = event.object();
    let is_news = match event {
        Event::Added(pod) => readiness::node_name(pod).is_some(),
        Event::Updated { old, new } => {
            readiness::node_name(old) != readiness::node_name(new)
                || taint::tolerations(old) != taint::tolerations(new)
        }
        Event::Deleted(_) => true,
    };
    is_news.then(|| Key::of(&**pod)).into_iter().collect()
}

impl Evictor {
    /// A change of taints matters to all pods of a node.
    fn of_node(&self, event: &Event<Node>) -> Vec<Key> {
        let node = event.object();
        let before = event.old().map(|old| evicting(old)).unwrap_or_default();
        if before == evicting(node) {
            return Vec::new();
        }
        let name = node.metadata.name.as_deref().unwrap_or_default();
        let pods = self.pods.by_index(index::POD_BY_NODE, name);
        pods.iter().map(|pod| Key::of(&**pod)).collect()
    }

    async fn reconcile(&self, key: Key) -> Result<Action, kube::Error> {
        let pod = self.pods.get(&key);
        let node = pod.as_deref().and_then(readiness::node_name);
        let node = node.and_then(|node| self.nodes.get(&Key::cluster(node)));
        let (Some(pod), Some(node)) = (pod, node) else {
            self.forget(&key);
            return Ok(Action::Done);
        };
        let taints = evicting(&node);
        if taints.is_empty() || readiness::is_terminating(&pod) {
            self.forget(&key);
            return Ok(Action::Done);
        }
        let seconds = match taint::bearing(&taints, taint::tolerations(&pod)) {
            Bearing::Forever => {
                self.forget(&key);
                return Ok(Action::Done);
            }
            Bearing::Never => 0,
            Bearing::Seconds(seconds) => seconds,
        };
        let now = self.ctx.clock.now();
        let since = self.first_seen(&key, now);
        let under = Duration::try_from(now.duration_since(since)).unwrap_or_default();
        let left = Duration::from_secs(seconds).saturating_sub(under);
        if !left.is_zero() {
            return Ok(Action::After(left));
        }
        self.evict(&pod, now).await?;
        self.forget(&key);
        Ok(Action::Done)
    }

    async fn evict(&self, pod: &Pod, now: Timestamp) -> Result<(), kube::Error> {
        let key = Key::of(pod);
        let message = format!("Marking for deletion Pod {key}");
        self.events
            .normal(reference(pod), "TaintManagerEviction", message);
        let api: Api<Pod> = Api::namespaced(self.ctx.client.clone(), &key.namespace);
        // Says why, before it goes: a Job doesn't count this as the pod's own failure.
        let why = json!({
            "metadata": {"uid": pod.metadata.uid},
            "status": {"conditions": [{
                "type": "DisruptionTarget", "status": "True",
                "reason": "DeletionByTaintManager",
                "message": "Taint manager: deleting due to NoExecute taint",
                "lastTransitionTime": Time(now),
            }]},
        });
        let (why, params) = (Patch::Strategic(why), PatchParams::default());
        if gone(api.patch_status(&key.name, &params, &why).await)? {
            return Ok(());
        }
        let only_this = Preconditions {
            uid: pod.metadata.uid.clone(),
            resource_version: None,
        };
        let params = DeleteParams::default().preconditions(only_this);
        gone(api.delete(&key.name, &params).await).map(drop)
    }

    fn first_seen(&self, key: &Key, now: Timestamp) -> Timestamp {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        *since.entry(key.clone()).or_insert(now)
    }

    fn forget(&self, key: &Key) {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        since.remove(key);
    }
}

fn evicting(node: &Node) -> Vec<Taint> {
    let taints = taint::taints(node).iter();
    taints
        .filter(|taint| taint.effect == NO_EXECUTE)
        .cloned()
        .collect()
}

/// Whether it turned out to be gone already.
fn gone<T>(result: Result<T, kube::Error>) -> Result<bool, kube::Error> {
    match result {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(true),
        other => other.map(|_| false),
    }
}
