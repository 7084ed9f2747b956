//! Short builders for this crate's tables of tests.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, Pod};
use serde_json::{Value, json};

use crate::cache::{NodeInfo, PodInfo};

/// A pod under construction.
pub(crate) struct PodBuilder(Value);

/// A pod in `default` with one silent container.
pub(crate) fn pod(name: &str) -> PodBuilder {
    PodBuilder(json!({
        "metadata": {"name": name, "namespace": "default", "uid": format!("uid-{name}")},
        "spec": {"schedulerName": "default-scheduler", "containers": [{"name": "c"}]},
    }))
}

impl PodBuilder {
    pub(crate) fn on(self, node: &str) -> Self {
        self.spec(json!({"nodeName": node}))
    }

    pub(crate) fn priority(self, priority: i32) -> Self {
        self.spec(json!({"priority": priority}))
    }

    pub(crate) fn requests(mut self, requests: &[(&str, &str)]) -> Self {
        let list: serde_json::Map<_, _> = requests
            .iter()
            .map(|(k, v)| ((*k).to_owned(), json!(v)))
            .collect();
        self.0["spec"]["containers"][0]["resources"] = json!({"requests": list});
        self
    }

    /// Adds or replaces fields of the spec.
    pub(crate) fn spec(mut self, fields: Value) -> Self {
        merge(&mut self.0["spec"], fields);
        self
    }

    pub(crate) fn build(self) -> Pod {
        serde_json::from_value(self.0).expect("a well-formed pod")
    }

    pub(crate) fn info(self) -> PodInfo {
        PodInfo::from(self.build())
    }
}

/// A node under construction.
pub(crate) struct NodeBuilder(Value);

/// A node with room for 110 pods, 4 cores and 8 GiB.
pub(crate) fn node(name: &str) -> NodeBuilder {
    NodeBuilder(json!({
        "metadata": {"name": name, "labels": {}},
        "spec": {"taints": []},
        "status": {"allocatable": {"pods": "110", "cpu": "4", "memory": "8Gi"}, "images": []},
    }))
}

impl NodeBuilder {
    pub(crate) fn label(mut self, key: &str, value: &str) -> Self {
        self.0["metadata"]["labels"][key] = json!(value);
        self
    }

    pub(crate) fn taint(mut self, key: &str, value: &str, effect: &str) -> Self {
        let taint = json!({"key": key, "value": value, "effect": effect});
        self.0["spec"]["taints"]
            .as_array_mut()
            .expect("a list")
            .push(taint);
        self
    }

    pub(crate) fn room(mut self, cpu: &str, memory: &str) -> Self {
        merge(
            &mut self.0["status"]["allocatable"],
            json!({"cpu": cpu, "memory": memory}),
        );
        self
    }

    pub(crate) fn max_pods(mut self, pods: u32) -> Self {
        self.0["status"]["allocatable"]["pods"] = json!(pods.to_string());
        self
    }

    pub(crate) fn image(mut self, name: &str, bytes: i64) -> Self {
        let image = json!({"names": [name], "sizeBytes": bytes});
        self.0["status"]["images"]
            .as_array_mut()
            .expect("a list")
            .push(image);
        self
    }

    pub(crate) fn spec(mut self, fields: Value) -> Self {
        merge(&mut self.0["spec"], fields);
        self
    }

    pub(crate) fn build(self) -> Node {
        serde_json::from_value(self.0).expect("a well-formed node")
    }

    pub(crate) fn info(self) -> NodeInfo {
        NodeInfo::new(Arc::new(self.build()))
    }
}

fn merge(into: &mut Value, fields: Value) {
    let Value::Object(fields) = fields else {
        panic!("fields are an object")
    };
    for (key, value) in fields {
        into[key] = value;
    }
}
