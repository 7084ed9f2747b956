//! When a cluster is ready: the API answers, and every node that we started says Ready.

use futures::StreamExt;
use k8s_openapi::api::core::v1::Node;
use k8s_runtime::{Hub, Informer};

/// Waits until so many nodes are ready.
pub(crate) async fn nodes(hub: &Hub, count: usize) {
    if count == 0 {
        return;
    }
    let nodes: Informer<Node> = hub.informer();
    let mut changes = nodes.subscribe();
    while nodes
        .store()
        .list()
        .iter()
        .filter(|node| is_ready(node))
        .count()
        < count
    {
        if changes.next().await.is_none() {
            return;
        }
    }
}

fn is_ready(node: &Node) -> bool {
    let conditions = node
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
