//! Kinds of `apps`.

pub mod deployment;
pub mod replica_set;

use serde_json::Value;

use crate::api::Field;
use crate::api::selector::{check_label_selector, selects_labels};

/// Checks a workload's selector: it is there, chooses something, and chooses the template's pods.
fn check_selector(spec: &Field) {
    let selector = spec.get("selector");
    if !selector.is_set() {
        selector.required("");
        return;
    }
    check_label_selector(&selector);
    if selector.get("matchLabels").is_empty() && selector.get("matchExpressions").is_empty() {
        selector.invalid("empty selector is invalid for deployment");
        return;
    }
    let template = spec.get("template");
    let metadata = template.get("metadata");
    let labels = metadata.get("labels");
    if !selects_labels(&selector, &labels) {
        let shown = labels.value().cloned().unwrap_or(Value::Null);
        labels.invalid_value(shown, "`selector` does not match template `labels`");
    }
}

/// Checks the counters that a workload's status reports.
fn check_counters(status: &Field, counters: &[&str]) {
    for counter in counters {
        status.get(counter).must_not_be_negative();
    }
}

/// Reports a counter that exceeds another one.
fn check_not_above(status: &Field, counter: &str, other: &str, shown: &str) {
    let (counter, other) = (status.get(counter), status.get(other));
    if counter.int().unwrap_or(0) > other.int().unwrap_or(0) {
        counter.invalid(format!("cannot be greater than {shown}"));
    }
}

/// Checks a number of pods or a percentage of them, and returns the bare number.
pub(super) fn check_amount(amount: &Field) -> Option<i64> {
    let Some(Value::String(text)) = amount.value() else {
        amount.must_not_be_negative();
        return amount.int();
    };
    let percent = text
        .strip_suffix('%')
        .filter(|n| n.bytes().all(|c| c.is_ascii_digit()));
    let percent = percent.and_then(|n| n.parse().ok());
    if percent.is_none() {
        amount.invalid("a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')");
    }
    percent
}
