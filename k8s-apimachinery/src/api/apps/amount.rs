//! Amounts of pods: a number, or a percentage of those desired.

use serde_json::Value;

use crate::api::Field;

/// Checks an amount and returns the bare number; an absent one is zero.
pub(in crate::api) fn check_amount(amount: &Field) -> Option<i64> {
    let Some(Value::String(text)) = amount.value() else {
        amount.must_not_be_negative();
        return Some(amount.int().unwrap_or(0));
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

/// Reports an amount, whose bare number is given, of more than all pods.
pub(in crate::api) fn check_not_more_than_all(amount: &Field, number: Option<i64>) {
    let is_percentage = amount.value().is_some_and(Value::is_string);
    if is_percentage && number.is_some_and(|percent| percent > 100) {
        amount.invalid("must not be greater than 100%");
    }
}
