//! When a cluster is ready: the API answers, every node that we started says Ready, and the first
//! pod that somebody creates finds its service account.

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use k8s_runtime::{Hub, Informer, Key, Object, Store};

/// Waits until so many nodes are ready.
pub(crate) async fn nodes(hub: &Hub, count: usize) {
    let enough = |nodes: &Store<Node>| {
        let ready = nodes.list().iter().filter(|node| is_ready(node)).count();
        ready >= count
    };
    if count > 0 {
        until(hub.informer(), enough).await;
    }
}

/// Waits until this node is ready.
pub(crate) async fn node(hub: &Hub, name: &str) {
    let key = Key::cluster(name);
    let ready = |nodes: &Store<Node>| nodes.get(&key).is_some_and(|node| is_ready(&node));
    until(hub.informer(), ready).await;
}

/// Waits until pods can be created in the namespace `default`.
pub(crate) async fn default_account(hub: &Hub) {
    let account = Key::new("default", "default");
    let exists = |accounts: &Store<ServiceAccount>| accounts.get(&account).is_some();
    until(hub.informer(), exists).await;
}

/// Waits until `holds` is true of what the informer has seen, or the informer ends.
async fn until<K: Object>(informer: Informer<K>, holds: impl Fn(&Store<K>) -> bool) {
    let mut changes = informer.subscribe();
    while !holds(&informer.store()) && changes.next().await.is_some() {}
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
