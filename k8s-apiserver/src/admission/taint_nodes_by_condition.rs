//! No pod comes to a node before that node has been seen ready.

use async_trait::async_trait;
use k8s_apimachinery::{
    Object, Value,
    pod::taint::{NO_SCHEDULE, NODE_NOT_READY},
};
use serde_json::json;

use super::{Admission, Review};
use crate::ApiError;

/// Gives each new node the taint `node.kubernetes.io/not-ready:NoSchedule`. The node lifecycle controller takes it away
/// once the node reports that it is ready.
#[derive(Debug, Clone, Copy)]
pub struct TaintNodesByCondition;

#[async_trait]
impl Admission for TaintNodesByCondition {
    fn name(&self) -> &'static str {
        "TaintNodesByCondition"
    }

    async fn mutate(&self, review: &Review<'_>, node: &mut Object) -> Result<(), ApiError> {
        if review.creates("", "nodes") {
            taint(node);
        }
        Ok(())
    }
}

fn taint(node: &mut Object) {
    let path = ["spec", "taints"];
    let taints = node.get(&path).and_then(Value::as_array);
    let mut taints = taints.cloned().unwrap_or_default();
    let is_this = |taint: &Value| taint["key"] == NODE_NOT_READY && taint["effect"] == NO_SCHEDULE;
    if !taints.iter().any(is_this) {
        taints.push(json!({ "key": NODE_NOT_READY, "effect": NO_SCHEDULE }));
        node.set(&path, Value::Array(taints));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Cluster;
    use super::*;

    #[tokio::test]
    async fn a_new_node_is_tainted_once_and_an_update_may_take_the_taint_away() {
        let ours = json!({ "key": NODE_NOT_READY, "effect": NO_SCHEDULE });
        let evicting = json!({ "key": NODE_NOT_READY, "effect": "NoExecute" });
        let cases = [
            (json!([]), json!([ours])),
            (json!([ours]), json!([ours])),
            (json!([evicting]), json!([evicting, ours])),
        ];
        for (given, want) in cases {
            let cluster = Cluster::start().await;
            let node = json!({ "metadata": { "name": "n" }, "spec": { "taints": given } });
            let mut node = cluster.post("/api/v1/nodes", node).await.unwrap();
            assert_eq!(node["spec"]["taints"], want);
            node["spec"] = json!({});
            let node = cluster.put("/api/v1/nodes/n", node).await.unwrap();
            assert_eq!(node["spec"]["taints"], Value::Null);
        }
    }
}
