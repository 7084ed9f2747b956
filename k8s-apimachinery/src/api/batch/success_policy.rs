//! When an indexed job has succeeded, although not all its indexes have.

use super::index;
use crate::api::Field;

const MAX_RULES: usize = 20;
const MAX_INDEXES_BYTES: usize = 64 * 1024;

/// Checks `successPolicy` of an indexed job's spec.
pub(super) fn check(spec: &Field) {
    let policy = spec.get("successPolicy");
    if !policy.is_set() {
        return;
    }
    let rules = policy.get("rules");
    if rules.is_empty() {
        rules.required("at least one rules must be specified when the successPolicy is specified");
    }
    if rules.len() > MAX_RULES {
        rules.too_many(MAX_RULES);
    }
    let completions = spec.get("completions").int().unwrap_or(0);
    rules
        .items()
        .for_each(|rule| check_rule(&rule, completions));
}

fn check_rule(rule: &Field, completions: i64) {
    let (count, indexes) = (rule.get("succeededCount"), rule.get("succeededIndexes"));
    if !count.is_set() && !indexes.is_set() {
        rule.required("at least one of succeededCount or succeededIndexes must be specified");
    }
    let mut total = 0;
    if indexes.is_set() {
        if indexes.str().len() > MAX_INDEXES_BYTES {
            indexes.too_long(MAX_INDEXES_BYTES);
        }
        match index::count(indexes.str(), completions) {
            Ok(number) => total = number,
            Err(why) => indexes.invalid(format!("error parsing succeededIndexes: {why}")),
        }
    }
    count.must_not_be_negative();
    let Some(number) = count.int() else { return };
    if number > completions {
        count.invalid(format!(
            "must be less than or equal to {completions} (the number of specified completions)"
        ));
    }
    if indexes.is_set() && number > total {
        count.invalid(format!("must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"));
    }
}
