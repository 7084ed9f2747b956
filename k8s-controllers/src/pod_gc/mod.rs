//! Pods that nobody else would remove: those of nodes that are gone, those that were deleted before
//! they reached a node, and the oldest of too many that have ended.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use k8s_apimachinery::pod::readiness;
use k8s_openapi::{
    api::core::v1::{Node, Pod},
    apimachinery::pkg::apis::meta::v1::Time,
};
use k8s_runtime::{Context, Key};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use serde_json::json;

/// How often it looks: at the caches alone.
const PERIOD: Duration = Duration::from_secs(20);
/// How long a node must have been missing.
const QUARANTINE: Duration = Duration::from_secs(40);
/// Pods that have ended may be so many.
const ENDED_MAX: usize = 12_500;

/// Runs the controller until the context is cancelled.
pub async fn run(ctx: Context) {
    let pods = ctx.hub.informer::<Pod>();
    let nodes = ctx.hub.informer::<Node>();
    let body = async {
        pods.synced().await;
        nodes.synced().await;
        let mut missing = BTreeMap::new();
        loop {
            tokio::time::sleep(PERIOD).await;
            let now = ctx.clock.now();
            let nodes = nodes.store().list();
            let names = nodes.iter().filter_map(|node| node.metadata.name.clone());
            let plan = plan(&pods.store().list(), &names.collect(), &mut missing, now);
            for (pod, why) in plan {
                if let Err(error) = remove(&ctx, &pod, why, now).await {
                    tracing::debug!(pod = %Key::of(&*pod), %error, "pod not removed");
                }
            }
        }
    };
    ctx.cancel.run_until_cancelled(body).await;
}

/// Why a pod is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    NodeGone,
    NeverScheduled,
    Ended,
}

/// Which pods to remove. `missing` remembers since when a node has been missing.
fn plan(
    pods: &[Arc<Pod>],
    nodes: &BTreeSet<String>,
    missing: &mut BTreeMap<String, Timestamp>,
    now: Timestamp,
) -> Vec<(Arc<Pod>, Why)> {
    let named: BTreeSet<&str> = pods
        .iter()
        .filter_map(|pod| readiness::node_name(pod))
        .collect();
    missing.retain(|node, _| named.contains(node.as_str()) && !nodes.contains(node));
    for node in named {
        if !nodes.contains(node) {
            missing.entry(node.to_owned()).or_insert(now);
        }
    }
    let is_gone = |node: &str| {
        let since = missing.get(node);
        since.is_some_and(|since| now.duration_since(*since).unsigned_abs() >= QUARANTINE)
    };
    let mut removed = Vec::new();
    let mut ended = Vec::new();
    for pod in pods {
        match readiness::node_name(pod) {
            Some(node) if is_gone(node) => removed.push((pod.clone(), Why::NodeGone)),
            None if readiness::is_terminating(pod) => {
                removed.push((pod.clone(), Why::NeverScheduled));
            }
            _ if readiness::is_terminal(pod) => ended.push(pod.clone()),
            _ => {}
        }
    }
    ended.sort_by_key(|pod| pod.metadata.creation_timestamp.clone());
    let surplus = ended.len().saturating_sub(ENDED_MAX);
    removed.extend(ended.into_iter().take(surplus).map(|pod| (pod, Why::Ended)));
    removed
}

async fn remove(ctx: &Context, pod: &Pod, why: Why, now: Timestamp) -> Result<(), kube::Error> {
    let key = Key::of(pod);
    let api: Api<Pod> = Api::namespaced(ctx.client.clone(), &key.namespace);
    if why == Why::NodeGone && !readiness::is_terminal(pod) {
        let status = json!({
            "metadata": {"uid": pod.metadata.uid},
            "status": {"phase": "Failed", "conditions": [{
                "type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC",
                "message": "PodGC: node no longer exists", "lastTransitionTime": Time(now),
            }]},
        });
        let params = PatchParams::default();
        api.patch_status(&key.name, &params, &Patch::Strategic(status))
            .await?;
    }
    tracing::info!(pod = %key, ?why, "removing");
    let only_this = Preconditions {
        uid: pod.metadata.uid.clone(),
        resource_version: None,
    };
    let params = DeleteParams::default()
        .grace_period(0)
        .preconditions(only_this);
    match api.delete(&key.name, &params).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        other => other.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(name: &str, change: Value) -> Arc<Pod> {
        let mut pod = json!({"metadata": {"name": name}, "spec": {"containers": []}});
        for (path, value) in change.as_object().expect("changes") {
            let (part, field) = path.split_once('.').expect("a path of two");
            pod[part][field] = value.clone();
        }
        Arc::new(serde_json::from_value(pod).expect("a pod"))
    }

    #[test]
    fn pods_of_a_node_that_has_been_missing_for_long_go() {
        let pods = [
            pod("a", json!({"spec.nodeName": "lost"})),
            pod("b", json!({"spec.nodeName": "n1"})),
        ];
        let nodes = BTreeSet::from(["n1".to_owned()]);
        let mut missing = BTreeMap::new();
        let mut at = |second| {
            let now = Timestamp::from_second(second).unwrap();
            plan(&pods, &nodes, &mut missing, now).len()
        };
        assert_eq!([at(0), at(20), at(40)], [0, 0, 1]);
    }

    #[test]
    fn a_node_that_comes_back_keeps_its_pods() {
        let pods = [pod("a", json!({"spec.nodeName": "n1"}))];
        let mut missing = BTreeMap::new();
        let mut at = |second, nodes: &[&str]| {
            let nodes = nodes.iter().map(|node| (*node).to_owned()).collect();
            let now = Timestamp::from_second(second).unwrap();
            plan(&pods, &nodes, &mut missing, now).len()
        };
        assert_eq!(
            [at(0, &[]), at(20, &["n1"]), at(40, &[]), at(60, &[])],
            [0; 4]
        );
    }

    #[test]
    fn a_pod_deleted_before_it_reached_a_node_goes_at_once() {
        let going = json!({"metadata.deletionTimestamp": "2026-01-01T00:00:00Z"});
        let plan = plan(
            &[pod("a", going), pod("b", json!({}))],
            &BTreeSet::new(),
            &mut BTreeMap::new(),
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!(plan.len(), 1);
        assert_eq!(plan[0].1, Why::NeverScheduled);
    }
}
