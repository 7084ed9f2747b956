//! The difference between two statuses, as a strategic merge patch.

use k8s_openapi::api::core::v1::PodStatus;
use serde_json::{Map, Value, json};

use super::OURS;

/// The patch that turns the status `old` of the pod `uid` into `new`; `None` when nothing differs.
///
/// Only what the agent owns is compared. Conditions merge by type, so those of others stay; all else
/// is replaced as a whole. The uid makes the patch fail for a namesake that came after.
pub fn patch(uid: &str, old: &PodStatus, new: &PodStatus) -> Option<Value> {
    let (old, new) = (fields(old), fields(new));
    let mut changes = Map::new();
    for (name, value) in &new {
        if name != "conditions" && old.get(name) != Some(value) {
            changes.insert(name.clone(), replace(name, old.get(name), value));
        }
    }
    let ours = ["phase", "reason", "message", "podIP", "podIPs"];
    for name in ours {
        if old.contains_key(name) && !new.contains_key(name) {
            changes.insert(name.to_owned(), Value::Null);
        }
    }
    let conditions = changed_conditions(old.get("conditions"), new.get("conditions"));
    if !conditions.is_empty() {
        changes.insert("conditions".into(), Value::Array(conditions));
    }
    (!changes.is_empty()).then(|| json!({"metadata": {"uid": uid}, "status": changes}))
}

fn fields(status: &PodStatus) -> Map<String, Value> {
    match serde_json::to_value(status) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// podIPs and hostIPs merge by address, so a changed address has to replace the list.
fn replace(name: &str, old: Option<&Value>, value: &Value) -> Value {
    match (name, old, value) {
        ("podIPs" | "hostIPs", Some(_), Value::Array(items)) => {
            let directive = json!({"$patch": "replace"});
            Value::Array(items.iter().cloned().chain([directive]).collect())
        }
        _ => value.clone(),
    }
}

fn changed_conditions(old: Option<&Value>, new: Option<&Value>) -> Vec<Value> {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let old = list(old);
    let mut changed = Vec::new();
    let new = list(new);
    for condition in new.iter().cloned() {
        let before = old
            .iter()
            .find(|before| before["type"] == condition["type"]);
        if before == Some(&condition) {
            continue;
        }
        let mut change = condition;
        for field in ["reason", "message"] {
            if before.is_some_and(|before| before.get(field).is_some())
                && change.get(field).is_none()
            {
                change[field] = Value::Null;
            }
        }
        changed.push(change);
    }
    // Those of a resize are there as long as it lasts.
    for before in old {
        let type_ = before["type"].as_str().unwrap_or_default();
        let is_over = !new.iter().any(|condition| condition["type"] == type_);
        if is_over && OURS.contains(&type_) {
            changed.push(json!({"$patch": "delete", "type": type_}));
        }
    }
    changed
}
