//! Short builders for the tables of tests in this module.

use k8s_openapi::api::core::v1::{Node, Pod};
use serde_json::{Value, json};

/// A pod with the given spec and status, as the API would carry them.
pub(crate) fn pod(spec: Value, status: Value) -> Pod {
    let mut spec = spec;
    if spec.get("containers").is_none() {
        spec["containers"] = json!([]);
    }
    serde_json::from_value(json!({
        "metadata": {"name": "p", "namespace": "default"},
        "spec": spec,
        "status": status,
    }))
    .expect("a well-formed pod")
}

/// A node with the given name and labels.
pub(crate) fn node(name: &str, labels: Value) -> Node {
    serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}}))
        .expect("a well-formed node")
}
