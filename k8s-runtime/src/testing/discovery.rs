//! Discovery, for components that ask what there is.

use serde_json::{Value, json};

/// Group, version, plural, kind, whether namespaced: what discovery lists. (Any other path is
/// served, too.)
const KINDS: &[(&str, &str, &str, &str, bool)] = &[
    ("", "v1", "namespaces", "Namespace", false),
    ("", "v1", "nodes", "Node", false),
    ("", "v1", "pods", "Pod", true),
    ("", "v1", "configmaps", "ConfigMap", true),
    ("", "v1", "services", "Service", true),
    ("", "v1", "serviceaccounts", "ServiceAccount", true),
    ("apps", "v1", "deployments", "Deployment", true),
    ("apps", "v1", "replicasets", "ReplicaSet", true),
];

/// The aggregated document of `/api` or `/apis`.
pub(super) fn document(path: &str) -> Option<Value> {
    let groups: &[&str] = match path.trim_end_matches('/') {
        "/api" => &[""],
        "/apis" => &["apps"],
        _ => return None,
    };
    let items: Vec<Value> = groups.iter().map(|group| group_of(group)).collect();
    Some(json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items,
    }))
}

fn group_of(group: &str) -> Value {
    let kinds = KINDS.iter().filter(|kind| kind.0 == group);
    let resources: Vec<Value> = kinds.map(|kind| resource(*kind)).collect();
    json!({
        "metadata": {"name": group},
        "versions": [{"version": "v1", "resources": resources}],
    })
}

fn resource(
    (group, version, plural, kind, is_namespaced): (&str, &str, &str, &str, bool),
) -> Value {
    json!({
        "resource": plural,
        "responseKind": {"group": group, "version": version, "kind": kind},
        "scope": if is_namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.to_lowercase(),
        "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
    })
}
