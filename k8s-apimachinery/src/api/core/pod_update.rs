//! What may change in a pod that exists: hardly anything.

use serde_json::Value;

use super::pod_gated;
use super::pod_spec::Stage;
use crate::api::Field;

const SENTENCE: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// Fields with rules of their own.
const SPECIAL: [&str; 5] = [
    "activeDeadlineSeconds",
    "schedulingGates",
    "terminationGracePeriodSeconds",
    "tolerations",
    "ephemeralContainers",
];

/// Checks the specs of a pod's update.
pub(super) fn check(new: &Field, old: &Field) {
    let stages = [Stage::Main, Stage::Init].map(Stage::field);
    for stage in stages {
        let list = new.get(stage);
        if list.len() != old.get(stage).len() {
            list.forbidden("pod updates may not add or remove containers");
            return;
        }
    }
    check_deadline(
        &new.get("activeDeadlineSeconds"),
        &old.get("activeDeadlineSeconds"),
    );
    check_tolerations(&new.get("tolerations"), &old.get("tolerations"));
    check_gates(&new.get("schedulingGates"), &old.get("schedulingGates"));
    check_ephemeral(
        &new.get("ephemeralContainers"),
        &old.get("ephemeralContainers"),
    );

    let mut changes = Vec::new();
    let mut free = [&SPECIAL[..], &stages[..]].concat();
    if !old.get("schedulingGates").is_empty() {
        pod_gated::check(new, old);
        free.push("nodeSelector");
        if pod_gated::is_same_but_for_nodes(&new.get("affinity"), &old.get("affinity")) {
            free.push("affinity");
        }
    }
    compare(new, old, &free, &mut changes);
    for stage in stages {
        let (list, old_list) = (new.get(stage), old.get(stage));
        for (container, old) in list.items().zip(old_list.items()) {
            compare(&container, &old, &["image"], &mut changes);
        }
    }
    let grace = new.get("terminationGracePeriodSeconds");
    let old_grace = old.get("terminationGracePeriodSeconds");
    let is_repaired = grace.int() == Some(1) && old_grace.int().is_some_and(|n| n < 0);
    if !is_repaired && !grace.same_as(&old_grace) {
        changes.push(change(&grace, &old_grace));
    }
    if !changes.is_empty() {
        new.forbidden(format!("{SENTENCE}\n{}", changes.concat()));
    }
}

/// Notes each child that differs, apart from those that may.
fn compare(new: &Field, old: &Field, free: &[&str], changes: &mut Vec<String>) {
    let gone = old.names().filter(|name| !new.get(name).is_set());
    for name in new.names().chain(gone).filter(|name| !free.contains(name)) {
        let (field, old) = (new.get(name), old.get(name));
        if !field.same_as(&old) {
            changes.push(change(&field, &old));
        }
    }
}

/// A difference in the manner of a patch.
fn change(new: &Field, old: &Field) -> String {
    let line = |sign: char, field: &Field| match field.value() {
        Some(value) => format!("{sign} {}: {value}\n", new.path()),
        None => String::new(),
    };
    line('-', old) + &line('+', new)
}

fn check_deadline(new: &Field, old: &Field) {
    match (new.int(), old.int()) {
        (None, Some(_)) => {
            new.invalid_value(
                Value::Null,
                "must not update from a positive integer to nil value",
            );
        }
        (Some(new_seconds), Some(old_seconds)) if new_seconds > old_seconds => {
            new.invalid("must be less than or equal to previous value");
        }
        _ => {}
    }
}

/// Tolerations may be added, and their seconds changed.
fn check_tolerations(new: &Field, old: &Field) {
    let is_same = |a: &Field, b: &Field| {
        let fields = ["key", "operator", "value", "effect"];
        fields
            .iter()
            .all(|field| a.get(field).str() == b.get(field).str())
    };
    let all_kept = old
        .items()
        .all(|old| new.items().any(|new| is_same(&new, &old)));
    if !all_kept {
        new.forbidden("existing toleration can not be modified except its tolerationSeconds");
    }
}

/// Gates can only be lifted.
fn check_gates(new: &Field, old: &Field) {
    for gate in new.items() {
        let name = gate.get("name").str();
        if !old.items().any(|old| old.get("name").str() == name) {
            gate.get("name").forbidden(format!(
                "only deletion is allowed, but found new scheduling gate '{name}'"
            ));
        }
    }
}

/// Ephemeral containers may be added, and stay as they are. Who may add them is decided by the
/// subresource that the update came through.
fn check_ephemeral(new: &Field, old: &Field) {
    for old in old.items() {
        let name = old.get("name").str();
        match new.items().find(|new| new.get("name").str() == name) {
            None => new.forbidden(format!(
                "existing ephemeral containers {name:?} may not be removed\n"
            )),
            Some(kept) if !kept.same_as(&old) => {
                new.forbidden(format!(
                    "existing ephemeral containers {name:?} may not be changed\n"
                ));
            }
            Some(_) => {}
        }
    }
}
