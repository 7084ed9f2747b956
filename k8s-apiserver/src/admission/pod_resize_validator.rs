//! A running pod is resized only to what its node can have, and only on nodes that can do it (KEP-1287).

use async_trait::async_trait;
use k8s_apimachinery::{Object, pod::request};
use k8s_openapi::api::core::v1::{Node, Pod};

use super::{Admission, Operation, Review};
use crate::{ApiError, registry::Effects};

/// Refuses resizes of pods beyond all that their node has, and of pods on nodes that don't run Linux.
#[derive(Debug, Clone, Copy)]
pub struct PodResizeValidator;

#[async_trait]
impl Admission for PodResizeValidator {
    fn name(&self) -> &'static str {
        "PodResizeValidator"
    }

    async fn validate(
        &self,
        review: &Review<'_>,
        pod: Option<&Object>,
    ) -> Result<Effects, ApiError> {
        let row = &review.resource.row;
        if review.operation == Operation::Update
            && review.subresource == "resize"
            && row.group.is_empty()
            && row.plural == "pods"
            && let (Some(new), Some(old)) = (pod, review.old)
            && new.get(&["spec"]) != old.get(&["spec"])
            && let Some(name) = new.str(&["spec", "nodeName"]).filter(|n| !n.is_empty())
        {
            let Some(node) = review.view.get("", "nodes", "", name) else {
                return Err(review.forbidden(format!("node {name:?} not found")));
            };
            let refused = |detail: String, cause| ApiError::ForbiddenFor {
                resource: review.resource.name(),
                name: review.name.to_owned(),
                detail,
                cause,
            };
            if let Some(excess) = excess(new, &node) {
                return Err(refused(excess, "NodeCapacity"));
            }
            let system = node.label("kubernetes.io/os").unwrap_or_default();
            if system != "linux" {
                let detail = format!(
                    "pod resize is only supported on linux nodes, node {name:?} is {system:?}"
                );
                return Err(refused(detail, "UnsupportedPlatform"));
            }
        }
        Ok(Effects::default())
    }
}

/// What of the pod's requests is more than the node has for all its pods together.
fn excess(pod: &Object, node: &Object) -> Option<String> {
    // What it wants is in its spec; what it holds meanwhile doesn't count.
    let mut pod: Pod = pod.view().ok()?;
    pod.status = None;
    let requests = request::requests(&pod);
    let status = node.view().ok().and_then(|node: Node| node.status);
    let allocatable = status.and_then(|status| status.allocatable);
    let allocatable = request::Resources::from_list(&allocatable.unwrap_or_default());
    let over: Vec<String> = ["cpu", "memory"]
        .into_iter()
        .filter(|name| requests.get(name) > allocatable.get(name))
        .map(|name| {
            let (requested, allocatable) = (requests.get(name), allocatable.get(name));
            format!("{name}, requested: {requested}, allocatable: {allocatable}")
        })
        .collect();
    let start = "Node didn't have enough allocatable resources: ";
    (!over.is_empty()).then(|| format!("{start}{}", over.join("; ")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::Cluster;

    /// What becomes of a pod of one CPU and 1Gi on node `n` that wants these requests.
    async fn resize(node: Value, requests: Value) -> Result<(), String> {
        let cluster = Cluster::start().await;
        if !node.is_null() {
            cluster.post("/api/v1/nodes", node).await.unwrap();
        }
        let resources = |requests| json!({ "requests": requests });
        let of_old = json!({ "cpu": "1", "memory": "1Gi" });
        let container = json!({ "name": "c", "image": "i", "resources": resources(of_old) });
        let pod = json!({ "spec": { "nodeName": "n", "containers": [container] } });
        let mut pod = cluster.pod(pod).await.unwrap();
        pod["spec"]["containers"][0]["resources"] = resources(requests);
        let uri = "/api/v1/namespaces/default/pods/p/resize";
        cluster.put(uri, pod).await.map(drop)
    }

    fn node(system: &str) -> Value {
        json!({
            "metadata": { "name": "n", "labels": { "kubernetes.io/os": system } },
            "status": { "allocatable": { "cpu": "2", "memory": "2Gi" } },
        })
    }

    #[tokio::test]
    async fn a_pod_grows_to_what_its_node_has_and_no_further() {
        let refused = |why: &str| Err(format!(r#"pods "p" is forbidden: {why}"#));
        let linux = || node("linux");
        let asked = |cpu: &str, memory: &str| json!({ "cpu": cpu, "memory": memory });
        for (node, wanted, want) in [
            (linux(), asked("2", "2Gi"), Ok(())),
            (linux(), asked("500m", "512Mi"), Ok(())),
            (
                linux(),
                asked("2001m", "1Gi"),
                refused(
                    "Node didn't have enough allocatable resources: cpu, requested: 2001, allocatable: 2000",
                ),
            ),
            (
                linux(),
                asked("3", "3Gi"),
                refused(
                    "Node didn't have enough allocatable resources: cpu, requested: 3000, allocatable: 2000; memory, \
                     requested: 3221225472, allocatable: 2147483648",
                ),
            ),
            (
                node("windows"),
                asked("2", "1Gi"),
                refused(r#"pod resize is only supported on linux nodes, node "n" is "windows""#),
            ),
            (
                Value::Null,
                asked("2", "1Gi"),
                refused(r#"node "n" not found"#),
            ),
            // Nothing changes: no matter where it runs.
            (node("windows"), asked("1", "1Gi"), Ok(())),
            (Value::Null, asked("1", "1Gi"), Ok(())),
        ] {
            let about = format!("{wanted} {node}");
            assert_eq!(resize(node, wanted).await, want, "{about}");
        }
    }
}
