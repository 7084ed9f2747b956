//! How much of a device's capacity a request may consume (KEP-5075).

use std::collections::HashSet;

use crate::api::Field;
use crate::quantity::Quantity;

const MAX_VALUES: usize = 10;

/// Checks one capacity of a device.
pub(super) fn check(capacity: &Field, is_shared: bool) {
    let policy = capacity.get("requestPolicy");
    if !policy.is_set() {
        return;
    }
    if !is_shared {
        return policy.forbidden("allowMultipleAllocations must be true");
    }
    let (values, range) = (policy.get("validValues"), policy.get("validRange"));
    if !values.is_empty() && range.is_set() {
        return policy.forbidden(
            r#"exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time"#,
        );
    }
    let default = policy.get("default");
    for (choice, name) in [(&values, "validValues"), (&range, "validRange")] {
        if !choice.is_empty() && !default.is_set() {
            return default.required(format!("required when {name} is defined"));
        }
    }
    let Some(whole) = quantity(&capacity.get("value")) else {
        return;
    };
    if let Some(default) = quantity(&default) {
        check_values(&values, default, whole);
        check_range(&range, default, whole);
    }
}

fn check_values(values: &Field, default: Quantity, whole: Quantity) {
    if values.is_empty() {
        return;
    }
    let amounts: Vec<_> = values.items().map(|value| quantity(&value)).collect();
    for (at, value) in values.items().enumerate().skip(1) {
        if amounts[at] < amounts[at - 1] {
            value.invalid("values must be sorted in ascending order");
        }
    }
    if values.len() > MAX_VALUES {
        values.too_many(MAX_VALUES);
    } else {
        let mut seen = HashSet::new();
        for (value, amount) in values.items().zip(&amounts) {
            if amount.is_some_and(|amount| amount > whole) {
                value.invalid(format!("option is larger than capacity value: {whole}"));
            }
            if !seen.insert(*amount) {
                value.duplicate();
            }
        }
    }
    if !amounts.contains(&Some(default)) {
        values.invalid_value(
            default.to_string(),
            "default value is not valid according to the requestPolicy",
        );
    }
}

fn check_range(range: &Field, default: Quantity, whole: Quantity) {
    if !range.is_set() {
        return;
    }
    let [low, high, step] = ["min", "max", "step"].map(|field| range.get(field));
    let Some(min) = quantity(&low) else {
        return low.required("required when validRange is defined");
    };
    let fallback = range.get("default");
    if min > whole {
        low.invalid(format!("min is larger than capacity value: {whole}"));
    }
    if default < min {
        fallback.invalid_value(
            default.to_string(),
            format!("default is less than min: {min}"),
        );
    }
    let max = quantity(&high);
    if let Some(max) = max {
        if min > max {
            high.invalid_value(min.to_string(), format!("min is larger than max: {max}"));
        }
        if max > whole {
            high.invalid(format!("max is larger than capacity value: {whole}"));
        }
        if default > max {
            fallback.invalid_value(
                default.to_string(),
                format!("default is more than max: {max}"),
            );
        }
    }
    let Some(size) = quantity(&step) else {
        return;
    };
    if size.is_zero() || size.is_negative() {
        return step.invalid("must be greater than zero");
    }
    let mut first = min;
    first.add(size);
    if first > whole {
        step.invalid(format!(
            "one step {first} is larger than capacity value: {whole}"
        ));
    }
    for amount in [Some(default), max].into_iter().flatten() {
        let distance = amount.milli_value().wrapping_sub(min.milli_value());
        if size.milli_value() != 0 && distance % size.milli_value() != 0 {
            step.invalid_value(
                amount.to_string(),
                format!("value is not a multiple of a given step ({size}) from ({min})"),
            );
        }
    }
}

fn quantity(field: &Field) -> Option<Quantity> {
    field.str().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::collect;
    use crate::api::testing::object;
    use serde_json::{Value, json};

    #[track_caller]
    fn check_policy(policy: Value, want: &[&str]) {
        let capacity = object(json!({"c": {"value": "10Gi", "requestPolicy": policy}}));
        let faults = collect(&capacity, |root| check(&root.get("c"), true));
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, want);
    }

    #[test]
    fn the_default_is_one_of_the_values() {
        check_policy(
            json!({"default": "1Gi", "validValues": ["1Gi", "2Gi"]}),
            &[],
        );
        check_policy(
            json!({"validValues": ["1Gi"]}),
            &["c.requestPolicy.default: Required value: required when validValues is defined"],
        );
        check_policy(
            json!({"default": "3Gi", "validValues": ["2Gi", "1Gi", "20Gi"]}),
            &[
                r#"c.requestPolicy.validValues[1]: Invalid value: "1Gi": values must be sorted in ascending order"#,
                r#"c.requestPolicy.validValues[2]: Invalid value: "20Gi": option is larger than capacity value: 10Gi"#,
                r#"c.requestPolicy.validValues: Invalid value: "3Gi": default value is not valid according to the requestPolicy"#,
            ],
        );
    }

    #[test]
    fn ranges_go_by_steps_from_their_lower_end() {
        let range = |default: &str, step: &str| json!({"default": default, "validRange": {"min": "1Gi", "max": "5Gi", "step": step}});
        check_policy(range("3Gi", "2Gi"), &[]);
        check_policy(
            range("2Gi", "2Gi"),
            &[
                r#"c.requestPolicy.validRange.step: Invalid value: "2Gi": value is not a multiple of a given step (2Gi) from (1Gi)"#,
            ],
        );
        check_policy(
            range("6Gi", "0"),
            &[
                r#"c.requestPolicy.validRange.default: Invalid value: "6Gi": default is more than max: 5Gi"#,
                r#"c.requestPolicy.validRange.step: Invalid value: "0": must be greater than zero"#,
            ],
        );
    }
}
