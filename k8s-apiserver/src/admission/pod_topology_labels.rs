//! Pods carry the zone and region of their node as labels (KEP-4742).

use async_trait::async_trait;
use k8s_apimachinery::Object;

use super::{Admission, Operation, Review};
use crate::ApiError;

/// The labels of a node that its pods get.
const LABELS: [&str; 2] = [
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
];

/// Puts the node's topology labels on bindings, from which the pod gets them, and on pods that are made with a node.
/// Labels that are there already stay.
#[derive(Debug, Clone, Copy)]
pub struct PodTopologyLabels;

#[async_trait]
impl Admission for PodTopologyLabels {
    fn name(&self) -> &'static str {
        "PodTopologyLabels"
    }

    async fn mutate(&self, review: &Review<'_>, object: &mut Object) -> Result<(), ApiError> {
        let row = &review.resource.row;
        let is_pods = row.group.is_empty() && row.plural == "pods";
        if !is_pods || review.operation != Operation::Create {
            return Ok(());
        }
        let node = match review.subresource {
            "" => object.str(&["spec", "nodeName"]),
            "binding" if object.str(&["target", "kind"]) == Some("Node") => {
                object.str(&["target", "name"])
            }
            _ => None,
        };
        let node = node.and_then(|name| review.view.get("", "nodes", "", name));
        for key in LABELS {
            let value = node.as_ref().and_then(|node| node.label(key));
            if let Some(value) = value
                && object.label(key).is_none()
            {
                object.set(&["metadata", "labels", key], value.into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::Cluster;
    use super::*;

    const PODS: &str = "/api/v1/namespaces/default/pods";

    #[tokio::test]
    async fn a_pod_gets_the_topology_of_the_node_that_it_is_bound_to_or_made_with() {
        let cluster = Cluster::start().await;
        let [zone, region] = LABELS;
        let node = json!({ "metadata": {
            "name": "n", "labels": { zone: "z1", region: "r1", "other": "x" },
        } });
        cluster.post("/api/v1/nodes", node).await.unwrap();
        let both = json!({ zone: "z1", region: "r1" });

        let labels = json!({ zone: "own" });
        let metadata = json!({ "name": "bound", "labels": labels });
        cluster.pod(json!({ "metadata": metadata })).await.unwrap();
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding",
            "metadata": { "name": "bound" }, "target": { "kind": "Node", "name": "n" },
        });
        let uri = format!("{PODS}/bound");
        let bind = format!("{uri}/binding");
        cluster.post(&bind, binding).await.unwrap();
        // What the binding says counts more than what the pod said.
        assert_eq!(cluster.get(&uri).await.unwrap()["metadata"]["labels"], both);

        let made = json!({ "metadata": { "name": "made" }, "spec": { "nodeName": "n" } });
        assert_eq!(cluster.pod(made).await.unwrap()["metadata"]["labels"], both);
        let own = json!({
            "metadata": { "name": "own", "labels": labels }, "spec": { "nodeName": "n" },
        });
        let own = cluster.pod(own).await.unwrap();
        assert_eq!(
            own["metadata"]["labels"],
            json!({ zone: "own", region: "r1" })
        );
        let lost = json!({ "metadata": { "name": "lost" }, "spec": { "nodeName": "absent" } });
        let lost = cluster.pod(lost).await.unwrap();
        assert_eq!(lost["metadata"].get("labels"), None);
    }
}
