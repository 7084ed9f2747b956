//! Kinds of `apps`.

pub(super) mod amount;
pub mod controller_revision;
pub mod daemon_set;
pub mod deployment;
pub mod replica_set;
pub mod stateful_set;

use serde_json::Value;

use crate::api::Field;
use crate::api::selector::{check_label_selector, selects_labels};

/// Checks a workload's selector: it is there, chooses something (`empty` tells that it doesn't), and chooses the
/// template's pods. What can't be read as a selector is reported once more as such, with the words in `malformed`; the
/// template has no say then. Says whether the selector can be read.
fn check_selector(spec: &Field, empty: &str, malformed: &str) -> bool {
    let selector = spec.get("selector");
    if !selector.must_be_there() {
        check_chosen(spec);
        return true;
    }
    let is_well_formed = check_label_selector(&selector);
    let is_empty = is_empty_selector(&selector);
    if is_empty {
        selector.invalid(empty);
    }
    if !is_well_formed {
        selector.invalid(malformed);
    } else if !is_empty {
        check_chosen(spec);
    }
    is_well_formed
}

fn is_empty_selector(selector: &Field) -> bool {
    selector.get("matchLabels").is_empty() && selector.get("matchExpressions").is_empty()
}

/// Reports a template whose pods its workload would not find again. No selector at all chooses nothing.
pub(in crate::api) fn check_chosen(spec: &Field) {
    let (selector, template) = (spec.get("selector"), spec.get("template"));
    let metadata = template.get("metadata");
    let labels = metadata.get("labels");
    if !selector.is_set() || !selects_labels(&selector, &labels) {
        let shown = labels.value().cloned().unwrap_or(Value::Null);
        labels.invalid_value(shown, "`selector` does not match template `labels`");
    }
}

/// Checks the counters that a workload's status reports.
pub(in crate::api) fn check_counters(status: &Field, counters: &[&str]) {
    for counter in counters {
        status.get(counter).must_not_be_negative();
    }
}

/// Checks the number of hash collisions that a status reports: it only grows.
fn check_collisions(status: &Field, old: &Field) {
    let collisions = status.get("collisionCount");
    collisions.must_not_be_negative();
    let number = collisions.int().unwrap_or(0);
    if number < old.get("collisionCount").int().unwrap_or(0) {
        collisions.invalid_value(number, "cannot be decremented");
    }
}

/// Reports a counter that exceeds another one.
pub(in crate::api) fn check_not_above(status: &Field, counter: &str, other: &str, shown: &str) {
    let (counter, other) = (status.get(counter), status.get(other));
    if counter.int().unwrap_or(0) > other.int().unwrap_or(0) {
        counter.invalid(format!("cannot be greater than {shown}"));
    }
}
