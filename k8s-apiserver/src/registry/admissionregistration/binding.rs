//! What bindings of both sorts of policies print.

use std::fmt::Write;

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};

use crate::registry::cell;

pub(super) static COLUMNS: [ColumnDefinition; 4] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("PolicyName", "The policy that is bound."),
    ColumnDefinition::text("ParamRef", "Its parameters."),
    ColumnDefinition::AGE,
];

pub(super) fn row(binding: &Object, now: Timestamp) -> Vec<Value> {
    vec![
        binding.name().into(),
        cell::text(binding, &["spec", "policyName"]),
        param(binding).into(),
        age_of(binding, now).into(),
    ]
}

fn param(binding: &Object) -> String {
    let text = |field| {
        let text = binding.str(&["spec", "paramRef", field]);
        text.filter(|text| !text.is_empty())
    };
    match (text("name"), text("namespace")) {
        (Some(name), Some(namespace)) => format!("{namespace}/{name}"),
        (Some(name), None) => format!("*/{name}"),
        (None, _) => match binding.get(&["spec", "paramRef", "selector"]) {
            Some(selector) => selector_text(selector),
            None => "<unset>".to_owned(),
        },
    }
}

/// A selector as Kubernetes prints it here: in Go's form.
fn selector_text(selector: &Value) -> String {
    let mut text = "&LabelSelector{MatchLabels:map[string]string{".to_owned();
    for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
        let _ = write!(text, "{key}: {},", value.as_str().unwrap_or_default());
    }
    text.push_str("},MatchExpressions:[]LabelSelectorRequirement{");
    for each in cell::items_of(selector, "matchExpressions") {
        let values = cell::items_of(each, "values").iter();
        let values: Vec<_> = values.filter_map(Value::as_str).collect();
        let _ = write!(
            text,
            "LabelSelectorRequirement{{Key:{},Operator:{},Values:[{}],}},",
            each["key"].as_str().unwrap_or_default(),
            each["operator"].as_str().unwrap_or_default(),
            values.join(" ")
        );
    }
    text.push_str("},}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parameters_are_named_or_selected() {
        let of = |param: Value| {
            let object = json!({"spec": {"paramRef": param}});
            super::param(&Object::from_value(object).expect("an object"))
        };
        assert_eq!(of(json!(null)), "<unset>");
        assert_eq!(of(json!({"name": "a"})), "*/a");
        assert_eq!(of(json!({"name": "a", "namespace": "b"})), "b/a");
        let expression = json!({"key": "k", "operator": "In", "values": ["x", "y"]});
        assert_eq!(
            of(json!({"selector": {"matchLabels": {"a": "b"}, "matchExpressions": [expression]}})),
            "&LabelSelector{MatchLabels:map[string]string{a: b,},MatchExpressions:[]LabelSelectorRequirement{LabelSelectorRequirement{Key:k,Operator:In,Values:[x y],},},}"
        );
    }
}
