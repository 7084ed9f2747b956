//! Checks of selectors: over labels, and over nodes.

use super::field::Field;
use super::metadata::{check_label_key, check_labels};
use crate::name;
use crate::selector::label::LabelSelector;

/// Checks a `metav1.LabelSelector`.
pub(crate) fn check_label_selector(selector: &Field) {
    check_labels(&selector.get("matchLabels"));
    for requirement in selector.get("matchExpressions").items() {
        let (key, values) = (requirement.get("key"), requirement.get("values"));
        check_operator(&requirement, false);
        check_label_key(&key, key.str());
        for value in values.items() {
            value.invalid_for(name::label_value(value.str()));
        }
    }
}

/// Checks a term of a node selector.
pub(crate) fn check_node_selector_term(term: &Field) {
    for requirement in term.get("matchExpressions").items() {
        let (key, values) = (requirement.get("key"), requirement.get("values"));
        check_operator(&requirement, true);
        check_label_key(&key, key.str());
        for value in values.items() {
            value.invalid_for(name::label_value(value.str()));
        }
    }
    for requirement in term.get("matchFields").items() {
        check_field_requirement(&requirement);
    }
}

fn check_operator(requirement: &Field, has_comparison: bool) {
    let (operator, values) = (requirement.get("operator"), requirement.get("values"));
    match operator.str() {
        "In" | "NotIn" if values.is_empty() => {
            values.required("must be specified when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            values.forbidden("may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        }
        "Gt" | "Lt" if has_comparison && values.len() != 1 => {
            values.required("must be specified single value when `operator` is 'Lt' or 'Gt'");
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        "Gt" | "Lt" if has_comparison => {}
        other => operator.invalid_value(other, "not a valid selector operator"),
    }
}

/// Nodes can be selected by one field, their name, with one value.
fn check_field_requirement(requirement: &Field) {
    let (key, operator) = (requirement.get("key"), requirement.get("operator"));
    let values = requirement.get("values");
    match operator.str() {
        "In" | "NotIn" if values.len() != 1 => {
            values.required(
                "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
            );
        }
        "In" | "NotIn" => {}
        other => operator.invalid_value(other, "not a valid selector operator"),
    }
    if key.str() != "metadata.name" {
        key.invalid_value(key.str(), "not a valid field selector key");
        return;
    }
    for value in values.items() {
        value.invalid_for(name::dns1123_subdomain(value.str()));
    }
}

/// Whether the selector chooses an object with these labels.
pub(crate) fn selects_labels(selector: &Field, labels: &Field) -> bool {
    let selector = selector.value().map(LabelSelector::from_value);
    let label = |key: &str| labels.map()?.get(key)?.as_str();
    selector.is_some_and(|selector| selector.is_ok_and(|selector| selector.matches(label)))
}
