//! A node's own object: it registers itself, and reports.

use k8s_apimachinery::{Object, Value};

use super::{Refusal, label};
use crate::admission::{Operation, Review};

const CONFIG_SOURCE: [&str; 2] = ["spec", "configSource"];

pub(super) fn check(
    node: &str,
    review: &Review<'_>,
    object: Option<&Object>,
) -> Result<(), Refusal> {
    if review.name != node {
        return Err(format!(
            "node {node:?} is not allowed to modify node {:?}",
            review.name
        ));
    }
    match (review.operation, object, review.old) {
        (Operation::Create, Some(new), _) => check_create(node, new),
        (Operation::Update, Some(new), Some(old)) => check_update(node, new, old),
        _ => Ok(()),
    }
}

/// What a node says of itself when it comes: taints keep pods away, so it may bring any.
fn check_create(node: &str, new: &Object) -> Result<(), Refusal> {
    if new.get(&CONFIG_SOURCE).is_some() {
        return Err(format!(
            "node {node:?} is not allowed to create pods with a non-nil configSource"
        ));
    }
    match label::forbidden(new, None) {
        Some(labels) => Err(format!(
            "node {node:?} is not allowed to set the following labels: {labels}"
        )),
        None => Ok(()),
    }
}

/// What would draw pods to it is not the node's to change.
fn check_update(node: &str, new: &Object, old: &Object) -> Result<(), Refusal> {
    let source = new.get(&CONFIG_SOURCE);
    if source.is_some() && source != old.get(&CONFIG_SOURCE) {
        return Err(format!(
            "node {node:?} is not allowed to update configSource to a new non-nil configSource"
        ));
    }
    if list(new, &["spec", "taints"]) != list(old, &["spec", "taints"]) {
        return Err(format!("node {node:?} is not allowed to modify taints"));
    }
    if new.owner_references() != old.owner_references() {
        return Err(format!(
            "node {node:?} is not allowed to modify ownerReferences"
        ));
    }
    match label::forbidden(new, Some(old)) {
        Some(labels) => Err(format!("is not allowed to modify labels: {labels}")),
        None => Ok(()),
    }
}

/// A list; absent and empty are the same.
fn list<'a>(object: &'a Object, path: &[&str]) -> &'a [Value] {
    let list = object.get(path).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}
