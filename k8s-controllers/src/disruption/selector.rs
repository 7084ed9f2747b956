//! Which pods a budget covers, and how its selector is shown.

use k8s_apimachinery::selector::label::{LabelSelector, LabelSelectorError};
use k8s_openapi::{
    api::{core::v1::Pod, policy::v1::PodDisruptionBudget},
    apimachinery::pkg::apis::meta::v1,
};

/// The budget's selector: without one it selects nothing, an empty one selects the whole namespace.
pub(super) fn of(budget: &PodDisruptionBudget) -> Result<LabelSelector, LabelSelectorError> {
    let spec = budget.spec.as_ref();
    LabelSelector::from_type(spec.and_then(|spec| spec.selector.as_ref()))
}

/// Whether the pod's labels match.
pub(super) fn matches(selector: &LabelSelector, pod: &Pod) -> bool {
    let labels = pod.metadata.labels.as_ref();
    selector.matches(|key| Some(labels?.get(key)?.as_str()))
}

/// Whether the budget is over the pod of its namespace. A selector that can't be read is over none.
pub(super) fn covers(budget: &PodDisruptionBudget, pod: &Pod) -> bool {
    of(budget).is_ok_and(|selector| matches(&selector, pod))
}

/// The selector as Kubernetes puts it into its events: as its own type prints.
pub(super) fn shown(selector: Option<&v1::LabelSelector>) -> String {
    let Some(selector) = selector else {
        return "nil".to_owned();
    };
    let labels = selector.match_labels.iter().flatten();
    let labels: String = labels
        .map(|(key, value)| format!("{key}: {value},"))
        .collect();
    let expressions = selector.match_expressions.iter().flatten();
    let expressions: String = expressions
        .map(|each| {
            let values = each.values.as_deref().unwrap_or_default().join(" ");
            let (key, operator) = (&each.key, &each.operator);
            format!("LabelSelectorRequirement{{Key:{key},Operator:{operator},Values:[{values}],}},")
        })
        .collect();
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{labels}}},MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn selectors_show_as_kubernetes_prints_them() {
        let show = |selector: Value| {
            let selector: v1::LabelSelector = serde_json::from_value(selector).unwrap();
            shown(Some(&selector))
        };
        assert_eq!(shown(None), "nil");
        assert_eq!(
            show(json!({
                "matchLabels": {"app": "web"},
                "matchExpressions": [{"key": "tier", "operator": "In", "values": ["a", "b"]}],
            })),
            "&LabelSelector{MatchLabels:map[string]string{app: web,},MatchExpressions:[]LabelSelectorRequirement{\
             LabelSelectorRequirement{Key:tier,Operator:In,Values:[a b],},},}"
        );
    }
}
