//! Configurations for tests.

use k8s_apimachinery::Object;
use serde_json::{Value, json};

/// A level that queues, with nearly all of the server's seats, and a schema that sends everybody there, told apart by
/// user.
pub(crate) fn shared() -> (Vec<Object>, Vec<Object>) {
    let queuing = json!({"queues": 64, "handSize": 6, "queueLengthLimit": 50});
    let level = level(
        "shared",
        10_000,
        json!({"type": "Queue", "queuing": queuing}),
    );
    (vec![everybody("shared", "shared")], vec![level])
}

/// A level by its shares and its response.
pub(crate) fn level(name: &str, shares: u32, response: Value) -> Object {
    let limited = json!({"nominalConcurrencyShares": shares, "limitResponse": response});
    object(name, json!({"type": "Limited", "limited": limited}))
}

/// A schema that sends everybody to a level, told apart by user.
pub(crate) fn everybody(name: &str, level: &str) -> Object {
    let all = json!({
        "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": true,
    });
    let rule = json!({
        "subjects": [{"kind": "Group", "group": {"name": "*"}}],
        "resourceRules": [all],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    });
    let spec = json!({
        "matchingPrecedence": 500,
        "priorityLevelConfiguration": {"name": level},
        "distinguisherMethod": {"type": "ByUser"},
        "rules": [rule],
    });
    object(name, spec)
}

fn object(name: &str, spec: Value) -> Object {
    let metadata = json!({"name": name, "uid": format!("uid-of-{name}")});
    Object::from_value(json!({"metadata": metadata, "spec": spec})).expect("a map is an object")
}
