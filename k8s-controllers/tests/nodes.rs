//! Nodes that come, fall silent and return, and what becomes of their pods.

mod cluster;

use std::time::Duration;

use cluster::Cluster;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

const NODES: &str = "/api/v1/nodes";
const PODS: &str = "/api/v1/namespaces/default/pods";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";

fn node(name: &str) -> Value {
    json!({
        "metadata": {"name": name}, "spec": {},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    })
}

fn pod(name: &str, node: &str, tolerations: Value) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {"nodeName": node, "containers": [], "tolerations": tolerations},
    })
}

async fn nodes(cluster: &Cluster) -> Vec<Node> {
    let api: Api<Node> = Api::all(cluster.ctx.client.clone());
    api.list(&ListParams::default()).await.expect("nodes").items
}

/// Renews the lease of a node every ten seconds, for a while.
async fn renew(cluster: &Cluster, node: &str, times: usize) {
    let api: Api<k8s_openapi::api::coordination::v1::Lease> =
        Api::namespaced(cluster.ctx.client.clone(), "kube-node-lease");
    for _ in 0..times {
        tokio::time::sleep(Duration::from_secs(10)).await;
        let now = format!("{:.6}", cluster.ctx.clock.now());
        let change = Patch::Merge(json!({"spec": {"renewTime": now}}));
        let params = PatchParams::default();
        api.patch(node, &params, &change).await.expect("renewed");
    }
}

#[tokio::test(start_paused = true)]
async fn each_node_gets_a_block_of_its_own() {
    let cluster = Cluster::start(&["node-ipam"]);
    for name in ["n1", "n2", "n3"] {
        cluster.api.put_new(NODES, &node(name));
    }
    cluster.settle().await;
    let mut blocks: Vec<String> = nodes(&cluster)
        .await
        .into_iter()
        .filter_map(|node| node.spec?.pod_cidr)
        .collect();
    blocks.sort();
    assert_eq!(blocks, ["10.244.0.0/24", "10.244.1.0/24", "10.244.2.0/24"]);
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_node_loses_its_pods_and_a_renewing_one_keeps_them() {
    let cluster = Cluster::start(&["node-lifecycle"]);
    for name in ["alive", "silent"] {
        cluster.api.put_new(NODES, &node(name));
        cluster
            .api
            .put_new(LEASES, &json!({"metadata": {"name": name}, "spec": {}}));
    }
    let tolerant = json!([{"key": "node.kubernetes.io/unreachable", "operator": "Exists",
        "effect": "NoExecute", "tolerationSeconds": 100}]);
    let steadfast = json!([{"operator": "Exists"}]);
    cluster.api.put_new(PODS, &pod("kept", "alive", json!([])));
    cluster
        .api
        .put_new(PODS, &pod("at-once", "silent", json!([])));
    cluster.api.put_new(PODS, &pod("later", "silent", tolerant));
    cluster
        .api
        .put_new(PODS, &pod("never", "silent", steadfast));
    let names = async || -> Vec<String> {
        let pods = cluster.list::<Pod>().await.into_iter();
        pods.filter_map(|pod| pod.metadata.name).collect()
    };
    renew(&cluster, "alive", 6).await;
    assert_eq!(names().await, ["kept", "later", "never"]);
    let silent = nodes(&cluster).await.remove(1);
    let ready = &silent.status.unwrap().conditions.unwrap()[0];
    assert_eq!(ready.status, "Unknown");
    let pods = cluster.list::<Pod>().await;
    let is_ready = |pod: &Pod| k8s_apimachinery::pod::readiness::is_ready(pod);
    assert_eq!(
        pods.iter().map(is_ready).collect::<Vec<_>>(),
        [true, false, false]
    );
    renew(&cluster, "alive", 11).await;
    assert_eq!(names().await, ["kept", "never"]);
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_returns_loses_its_taints() {
    let cluster = Cluster::start(&["node-lifecycle"]);
    cluster.api.put_new(NODES, &node("n1"));
    tokio::time::sleep(Duration::from_secs(60)).await;
    let taints = |node: &Node| {
        node.spec
            .clone()
            .unwrap_or_default()
            .taints
            .unwrap_or_default()
    };
    // The only node: nobody is evicted.
    let effects: Vec<String> = taints(&nodes(&cluster).await[0])
        .into_iter()
        .map(|taint| taint.effect)
        .collect();
    assert_eq!(effects, ["NoSchedule"]);
    let api: Api<Node> = Api::all(cluster.ctx.client.clone());
    let back = json!({"status": {"conditions": [
        {"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:01:00Z"},
    ]}});
    let params = PatchParams::default();
    api.patch_status("n1", &params, &Patch::Merge(back))
        .await
        .expect("reported");
    cluster.settle().await;
    assert!(taints(&nodes(&cluster).await[0]).is_empty());
    cluster.stop().await;
}
