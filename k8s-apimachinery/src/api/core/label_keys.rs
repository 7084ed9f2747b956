//! `matchLabelKeys` and `mismatchLabelKeys`: a pod's own values of some labels, as part of a selector (KEP-3633,
//! KEP-3243). They are merged into the selector when a pod is made, so schedulers need not know of them.

use serde_json::{Map, Value, json};

use crate::api::{Edit, Field, metadata::check_label_key};
use crate::object::Object;

const LISTS: [(&str, &str); 2] = [("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")];

/// Checks the keys of a term of pod affinity, or of a constraint of topology spread.
pub(super) fn check(term: &Field) {
    let selector = term.get("labelSelector");
    for (list, _) in LISTS {
        let keys = term.get(list);
        if !keys.is_empty() && !selector.is_set() {
            keys.forbidden("must not be specified when labelSelector is not set");
            continue;
        }
        keys.items()
            .for_each(|key| check_label_key(&key, key.str()));
    }
    let matched = term.get("matchLabelKeys");
    for key in term.get("mismatchLabelKeys").items() {
        if matched.items().any(|other| other.str() == key.str()) {
            key.invalid("exists in both matchLabelKeys and mismatchLabelKeys");
        }
    }
}

/// Puts the values that a new pod has for the keys into the selectors beside them. Keys that the pod hasn't, and those
/// without a selector, are left out.
pub fn merge(pod: &mut Object) {
    let labels = match pod.get(&["metadata", "labels"]) {
        Some(Value::Object(labels)) => labels.clone(),
        _ => return,
    };
    let Some(spec) = pod.as_map_mut().object("spec") else {
        return;
    };
    for constraint in spec.objects("topologySpreadConstraints") {
        merge_into(constraint, &labels);
    }
    let Some(affinity) = spec.object("affinity") else {
        return;
    };
    for kind in ["podAffinity", "podAntiAffinity"] {
        let Some(kind) = affinity.object(kind) else {
            continue;
        };
        for term in kind.objects("requiredDuringSchedulingIgnoredDuringExecution") {
            merge_into(term, &labels);
        }
        for preferred in kind.objects("preferredDuringSchedulingIgnoredDuringExecution") {
            if let Some(term) = preferred.object("podAffinityTerm") {
                merge_into(term, &labels);
            }
        }
    }
}

fn merge_into(term: &mut Map<String, Value>, labels: &Map<String, Value>) {
    let mut added = Vec::new();
    for (list, operator) in LISTS {
        let keys = term.get(list).and_then(Value::as_array);
        let keys = keys.into_iter().flatten().filter_map(Value::as_str);
        let known = keys.filter_map(|key| Some((key, labels.get(key)?)));
        added
            .extend(known.map(
                |(key, value)| json!({ "key": key, "operator": operator, "values": [value] }),
            ));
    }
    if added.is_empty() {
        return;
    }
    if let Some(selector) = term.object("labelSelector") {
        match selector.get_mut("matchExpressions") {
            Some(Value::Array(expressions)) => expressions.extend(added),
            _ => drop(selector.insert("matchExpressions".to_owned(), Value::Array(added))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{collect, testing::object};

    #[test]
    fn the_pods_own_values_join_the_selector() {
        let term = json!({
            "labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "zone",
            "matchLabelKeys": ["hash", "absent"], "mismatchLabelKeys": ["tenant"],
        });
        let mut pod = object(json!({
            "metadata": {"labels": {"app": "web", "hash": "1", "tenant": "t"}},
            "spec": {
                "affinity": {"podAntiAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": [term],
                    "preferredDuringSchedulingIgnoredDuringExecution": [{"podAffinityTerm": term}],
                }},
                "topologySpreadConstraints": [{"matchLabelKeys": ["hash"], "labelSelector": {}}],
            },
        }));
        merge(&mut pod);
        let spec = pod.get(&["spec"]).expect("a spec");
        let hash = json!({"key": "hash", "operator": "In", "values": ["1"]});
        let both = json!([hash, {"key": "tenant", "operator": "NotIn", "values": ["t"]}]);
        let kind = &spec["affinity"]["podAntiAffinity"];
        let required = &kind["requiredDuringSchedulingIgnoredDuringExecution"][0];
        let preferred = &kind["preferredDuringSchedulingIgnoredDuringExecution"][0];
        for term in [required, &preferred["podAffinityTerm"]] {
            assert_eq!(term["labelSelector"]["matchExpressions"], both);
        }
        let constraint = &spec["topologySpreadConstraints"][0];
        assert_eq!(
            constraint["labelSelector"]["matchExpressions"],
            json!([hash])
        );
    }

    #[test]
    fn keys_need_a_selector_and_match_or_mismatch() {
        let check = |term: Value, want: &[&str]| {
            let faults = collect(&object(term), super::check);
            let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
            assert_eq!(texts, want);
        };
        check(
            json!({"matchLabelKeys": ["a"]}),
            &["matchLabelKeys: Forbidden: must not be specified when labelSelector is not set"],
        );
        check(
            json!({"labelSelector": {}, "matchLabelKeys": ["a"], "mismatchLabelKeys": ["a"]}),
            &[
                r#"mismatchLabelKeys[0]: Invalid value: "a": exists in both matchLabelKeys and mismatchLabelKeys"#,
            ],
        );
    }
}
