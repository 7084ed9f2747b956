//! Nodes with devices are kept for the pods that request those, by a taint named like the resource.

use std::collections::BTreeSet;

use async_trait::async_trait;
use k8s_apimachinery::{Object, Value, resource_name::is_extended};
use serde_json::json;

use super::{Admission, Operation, Review};
use crate::ApiError;

/// Lets pods bear the taints that are named like the extended resources they request. Off by default.
#[derive(Debug, Clone, Copy)]
pub struct ExtendedResourceToleration;

#[async_trait]
impl Admission for ExtendedResourceToleration {
    fn name(&self) -> &'static str {
        "ExtendedResourceToleration"
    }

    async fn mutate(&self, review: &Review<'_>, pod: &mut Object) -> Result<(), ApiError> {
        let is_write = matches!(review.operation, Operation::Create | Operation::Update);
        let wanted = match is_write && review.is("", "pods") {
            true => requested(pod),
            false => return Ok(()),
        };
        let path = ["spec", "tolerations"];
        let own = pod.get(&path).and_then(Value::as_array).cloned();
        let mut tolerations = own.unwrap_or_default();
        let count = tolerations.len();
        for resource in wanted {
            let toleration = json!({ "key": resource, "operator": "Exists" });
            if !tolerations.contains(&toleration) {
                tolerations.push(toleration);
            }
        }
        if tolerations.len() > count {
            pod.set(&path, Value::Array(tolerations));
        }
        Ok(())
    }
}

/// The extended resources that a container of the pod requests.
fn requested(pod: &Object) -> BTreeSet<String> {
    let lists = ["containers", "initContainers"].into_iter();
    let containers = lists.filter_map(|list| pod.get(&["spec", list])?.as_array());
    containers
        .flatten()
        .filter_map(|container| container["resources"]["requests"].as_object())
        .flat_map(|requests| requests.keys())
        .filter(|name| is_extended(name))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::testing::Cluster, ExtendedResourceToleration};

    /// The keys that a pod of these limits tolerates with no more said than that.
    async fn tolerated(limits: Value, own: Value) -> Vec<Value> {
        let cluster = Cluster::with(ExtendedResourceToleration).await;
        let container = json!({ "name": "c", "image": "i", "resources": { "limits": limits } });
        let spec = json!({ "containers": [container], "tolerations": own });
        let pod = cluster.pod(json!({ "spec": spec })).await.unwrap();
        let all = pod["spec"]["tolerations"].as_array().unwrap().clone();
        let plain = |each: &Value| each.get("effect").is_none();
        all.into_iter().filter(plain).collect()
    }

    #[tokio::test]
    async fn who_requests_a_device_bears_its_taint() {
        let device = json!({ "key": "example.com/gpu", "operator": "Exists" });
        let limits = json!({ "example.com/gpu": "1", "cpu": "1" });
        let found = tolerated(limits.clone(), json!([])).await;
        assert_eq!(found, std::slice::from_ref(&device));
        let found = tolerated(limits, json!([device])).await;
        assert_eq!(found, [device]);
        let found = tolerated(json!({ "cpu": "1", "memory": "1Gi" }), json!([])).await;
        assert!(found.is_empty(), "{found:?}");
    }
}
