//! Checks of selectors: over labels, and over nodes.

use super::field::Field;
use super::metadata::{check_label_key, check_labels};
use crate::name;
use crate::selector::label::LabelSelector;

/// Checks a `metav1.LabelSelector`. Says whether it is one.
pub(crate) fn check_label_selector(selector: &Field) -> bool {
    let before = selector.count_faults();
    check_labels(&selector.get("matchLabels"));
    for requirement in selector.get("matchExpressions").items() {
        let (key, values) = (requirement.get("key"), requirement.get("values"));
        check_operator(&requirement, false);
        check_label_key(&key, key.str());
        for value in values.items() {
            value.invalid_for(name::label_value(value.str()));
        }
    }
    selector.count_faults() == before
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::field::collect;
    use crate::api::testing::object;
    use serde_json::{Value, json};

    #[track_caller]
    fn check<T>(check: fn(&Field) -> T, requirement: Value, want: &[&str]) {
        let faults = collect(
            &object(json!({"s": {"matchExpressions": [requirement]}})),
            |root| {
                check(&root.get("s"));
            },
        );
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, want);
    }

    #[test]
    fn operators_say_whether_values_are_needed() {
        let requirement = |operator: &str, values: &[&str]| json!({"key": "a", "operator": operator, "values": values});
        check(check_label_selector, requirement("In", &["b"]), &[]);
        check(
            check_label_selector,
            requirement("NotIn", &[]),
            &[
                "s.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
            ],
        );
        check(
            check_label_selector,
            requirement("Exists", &["b"]),
            &[
                "s.matchExpressions[0].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            ],
        );
        check(
            check_label_selector,
            requirement("Gt", &["1"]),
            &[
                r#"s.matchExpressions[0].operator: Invalid value: "Gt": not a valid selector operator"#,
            ],
        );
        check(check_node_selector_term, requirement("Gt", &["1"]), &[]);
        check(
            check_node_selector_term,
            requirement("Lt", &[]),
            &[
                "s.matchExpressions[0].values: Required value: must be specified single value when `operator` is 'Lt' or 'Gt'",
            ],
        );
    }

    #[test]
    fn labels_are_selected_by_equality_and_expressions() {
        let selects = |selector: Value, labels: Value| {
            let mut selects = false;
            collect(&object(json!({"s": selector, "l": labels})), |root| {
                selects = selects_labels(&root.get("s"), &root.get("l"));
            });
            selects
        };
        assert!(selects(
            json!({"matchLabels": {"a": "b"}}),
            json!({"a": "b", "c": "d"})
        ));
        assert!(!selects(json!({"matchLabels": {"a": "b"}}), json!({})));
        let not = json!({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]});
        assert!(selects(not.clone(), json!({})));
        assert!(!selects(not, json!({"a": "b"})));
    }
}
