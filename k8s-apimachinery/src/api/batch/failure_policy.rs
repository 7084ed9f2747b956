//! What becomes of a job when one of its pods fails.

use std::collections::HashSet;

use crate::api::Field;
use crate::name;

const MAX_RULES: usize = 20;
const MAX_PATTERNS: usize = 20;
const MAX_EXIT_CODES: usize = 255;
const ACTIONS: [&str; 4] = ["Count", "FailIndex", "FailJob", "Ignore"];

/// Checks `podFailurePolicy` of a job's spec.
pub(super) fn check(spec: &Field) {
    let policy = spec.get("podFailurePolicy");
    let rules = policy.get("rules");
    if rules.len() > MAX_RULES {
        rules.too_many(MAX_RULES);
    }
    let template = spec.get("template");
    let pod = template.get("spec");
    let lists = ["containers", "initContainers"].map(|list| pod.get(list));
    let names: HashSet<_> = lists
        .iter()
        .flat_map(|list| list.items().map(|container| container.get("name").str()))
        .collect();
    for rule in rules.items() {
        check_rule(&rule, spec.get("backoffLimitPerIndex").is_set(), &names);
    }
}

fn check_rule(rule: &Field, counts_per_index: bool, names: &HashSet<&str>) {
    let [action, exit_codes, conditions] =
        ["action", "onExitCodes", "onPodConditions"].map(|field| rule.get(field));
    match action.str() {
        "" => action.required(r#"valid values: ["Count" "FailIndex" "FailJob" "Ignore"]"#),
        "FailIndex" if !counts_per_index => {
            action.invalid("requires the backoffLimitPerIndex to be set")
        }
        _ => action.may_be_one_of(&ACTIONS),
    }
    if exit_codes.is_set() {
        check_exit_codes(&exit_codes, names);
    }
    check_conditions(&conditions);
    match (exit_codes.is_set(), !conditions.is_empty()) {
        (true, true) => {
            rule.invalid_whole("specifying both OnExitCodes and OnPodConditions is not supported")
        }
        (false, false) => {
            rule.invalid_whole("specifying one of OnExitCodes and OnPodConditions is required")
        }
        _ => {}
    }
}

fn check_conditions(conditions: &Field) {
    if conditions.len() > MAX_PATTERNS {
        conditions.too_many(MAX_PATTERNS);
    }
    for pattern in conditions.items() {
        let (type_, status) = (pattern.get("type"), pattern.get("status"));
        for message in name::qualified_name(type_.str()) {
            type_.invalid_value(type_.str(), message);
        }
        match status.str() {
            "" => status.required(r#"valid values: ["False" "True" "Unknown"]"#),
            _ => status.may_be_one_of(&["False", "True", "Unknown"]),
        }
    }
}

fn check_exit_codes(requirement: &Field, names: &HashSet<&str>) {
    let [operator, container, values] =
        ["operator", "containerName", "values"].map(|field| requirement.get(field));
    match operator.str() {
        "" => operator.required(r#"valid values: ["In" "NotIn"]"#),
        _ => operator.may_be_one_of(&["In", "NotIn"]),
    }
    if container.is_set() && !names.contains(container.str()) {
        container
            .invalid("must be one of the container or initContainer names in the pod template");
    }
    if values.is_empty() {
        values.invalid("at least one value is required");
    } else if values.len() > MAX_EXIT_CODES {
        values.too_many(MAX_EXIT_CODES);
    }
    let mut seen = HashSet::new();
    for value in values.items() {
        if operator.str() == "In" && value.int() == Some(0) {
            value.invalid("must not be 0 for the In operator");
        }
        if !seen.insert(value.int()) {
            value.duplicate();
        }
    }
    if !values.items().is_sorted_by_key(|value| value.int()) {
        values.invalid("must be ordered");
    }
}
