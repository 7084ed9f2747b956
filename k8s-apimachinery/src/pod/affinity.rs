//! Node selection: does a node match what the pod requires, and how well what it prefers.

use k8s_openapi::api::core::v1::{
    Node, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod,
};

/// Whether the node has all labels of `spec.nodeSelector` and matches the required node affinity.
pub fn matches_required(pod: &Pod, node: &Node) -> bool {
    let Some(spec) = &pod.spec else { return true };
    let mut wanted = spec.node_selector.iter().flatten();
    if !wanted.all(|(key, value)| label(node, key) == Some(value.as_str())) {
        return false;
    }
    let required = node_affinity(pod).and_then(|a| {
        a.required_during_scheduling_ignored_during_execution
            .as_ref()
    });
    required.is_none_or(|selector| selector_matches(selector, node))
}

/// Sum of the weights of the preferred terms that the node matches.
pub fn preferred_weight(pod: &Pod, node: &Node) -> i64 {
    let preferred = node_affinity(pod).and_then(|a| {
        a.preferred_during_scheduling_ignored_during_execution
            .as_ref()
    });
    let terms = preferred.into_iter().flatten();
    // Unlike a required term, an empty preferred term matches every node.
    terms
        .filter(|term| is_empty(&term.preference) || term_matches(&term.preference, node))
        .map(|term| i64::from(term.weight))
        .sum()
}

/// Whether one of the terms matches. A selector without terms matches nothing.
pub fn selector_matches(selector: &NodeSelector, node: &Node) -> bool {
    let mut terms = selector.node_selector_terms.iter();
    terms.any(|term| term_matches(term, node))
}

/// Whether all requirements of the term hold. An empty term matches nothing.
pub fn term_matches(term: &NodeSelectorTerm, node: &Node) -> bool {
    let mut labels = term.match_expressions.iter().flatten();
    let mut fields = term.match_fields.iter().flatten();
    !is_empty(term)
        && labels.all(|r| requirement_matches(r, label(node, &r.key)))
        && fields.all(|r| requirement_matches(r, field(node, &r.key)))
}

/// Whether the requirement holds for a value that is there or absent.
pub fn requirement_matches(requirement: &NodeSelectorRequirement, actual: Option<&str>) -> bool {
    let values = requirement.values.as_deref().unwrap_or_default();
    let listed = |value: &str| values.iter().any(|v| v == value);
    match requirement.operator.as_str() {
        "In" => actual.is_some_and(listed),
        "NotIn" => !actual.is_some_and(listed),
        "Exists" => actual.is_some(),
        "DoesNotExist" => actual.is_none(),
        "Gt" => compare(actual, values).is_some_and(|(a, b)| a > b),
        "Lt" => compare(actual, values).is_some_and(|(a, b)| a < b),
        _ => false,
    }
}

fn compare(actual: Option<&str>, values: &[String]) -> Option<(i64, i64)> {
    let [bound] = values else { return None };
    Some((actual?.parse().ok()?, bound.parse().ok()?))
}

fn is_empty(term: &NodeSelectorTerm) -> bool {
    let mut requirements = term
        .match_expressions
        .iter()
        .chain(&term.match_fields)
        .flatten();
    requirements.next().is_none()
}

fn node_affinity(pod: &Pod) -> Option<&NodeAffinity> {
    pod.spec.as_ref()?.affinity.as_ref()?.node_affinity.as_ref()
}

fn label<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    node.metadata.labels.as_ref()?.get(key).map(String::as_str)
}

/// The only field that a node can be selected by is its name.
fn field<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    (key == "metadata.name").then_some(node.metadata.name.as_deref()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::testing::{node, pod};
    use serde_json::{Value, json};

    fn with_affinity(affinity: Value) -> Pod {
        pod(json!({"affinity": {"nodeAffinity": affinity}}), json!({}))
    }

    #[track_caller]
    fn check(expression: Value, want: bool) {
        let terms = json!([{"matchExpressions": [expression]}]);
        let required =
            json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}});
        let node = node("n1", json!({"zone": "a", "cores": "8"}));
        assert_eq!(matches_required(&with_affinity(required), &node), want);
    }

    #[test]
    fn operators_compare_the_nodes_label() {
        check(
            json!({"key": "zone", "operator": "In", "values": ["a", "b"]}),
            true,
        );
        check(
            json!({"key": "zone", "operator": "In", "values": ["b"]}),
            false,
        );
        check(
            json!({"key": "zone", "operator": "NotIn", "values": ["b"]}),
            true,
        );
        check(
            json!({"key": "absent", "operator": "NotIn", "values": ["b"]}),
            true,
        );
        check(json!({"key": "zone", "operator": "Exists"}), true);
        check(json!({"key": "zone", "operator": "DoesNotExist"}), false);
        check(
            json!({"key": "cores", "operator": "Gt", "values": ["4"]}),
            true,
        );
        check(
            json!({"key": "cores", "operator": "Lt", "values": ["8"]}),
            false,
        );
        check(
            json!({"key": "zone", "operator": "Gt", "values": ["4"]}),
            false,
        );
    }

    #[test]
    fn terms_are_alternatives_and_empty_ones_match_nothing() {
        let match_name = |name: &str| json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]});
        let matches = |terms: Value| {
            let required = json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}});
            matches_required(&with_affinity(required), &node("n1", json!({})))
        };
        assert!(matches(json!([match_name("n2"), match_name("n1")])));
        assert!(!matches(json!([match_name("n2")])));
        assert!(!matches(json!([{}])));
        assert!(!matches(json!([])));
    }

    #[test]
    fn the_node_selector_needs_all_labels() {
        let node = node("n1", json!({"a": "1"}));
        let selects = |labels: Value| {
            matches_required(&pod(json!({"nodeSelector": labels}), json!({})), &node)
        };
        assert!(selects(json!({"a": "1"})));
        assert!(!selects(json!({"a": "1", "b": "2"})));
    }

    #[test]
    fn preferred_weights_add_up() {
        let prefer = |weight: i32, key: &str| {
            let expressions = json!([{"key": key, "operator": "Exists"}]);
            json!({"weight": weight, "preference": {"matchExpressions": expressions}})
        };
        let preferred = json!([prefer(10, "a"), prefer(5, "b"), prefer(1, "c")]);
        let pod =
            with_affinity(json!({"preferredDuringSchedulingIgnoredDuringExecution": preferred}));
        assert_eq!(
            preferred_weight(&pod, &node("n", json!({"a": "", "c": ""}))),
            11
        );
    }
}
