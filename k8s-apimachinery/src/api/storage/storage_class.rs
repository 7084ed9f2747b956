//! StorageClass: how volumes are made for claims.

use std::collections::{BTreeMap, BTreeSet};

use super::parameter::{self, check_provisioner, must_stay};
use crate::api::metadata::check_label_key;
use crate::api::{Edit, Field, NameRule, Rules};
use crate::object::Object;

/// Rules of `storage.k8s.io/v1` `StorageClass`.
pub struct StorageClass;

impl Rules for StorageClass {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn default(&self, object: &mut Object) {
        let class = object.as_map_mut();
        class.fill("reclaimPolicy", "Delete");
        class.fill("volumeBindingMode", "Immediate");
    }

    fn check(&self, object: &Field) {
        check_provisioner(&object.get("provisioner"));
        parameter::check(&object.get("parameters"));
        object
            .get("reclaimPolicy")
            .may_be_one_of(&["Delete", "Retain"]);
        object
            .get("volumeBindingMode")
            .must_be_one_of(&["Immediate", "WaitForFirstConsumer"]);
        check_topologies(&object.get("allowedTopologies"));
    }

    fn check_update(&self, new: &Field, old: &Field) {
        for field in ["parameters", "provisioner", "reclaimPolicy"] {
            must_stay(new, old, field);
        }
        new.get("volumeBindingMode")
            .must_not_change(&old.get("volumeBindingMode"));
    }
}

/// No two terms may allow the same. Kubernetes compares each also with one empty term for each that there is.
fn check_topologies(terms: &Field) {
    let mut seen = vec![BTreeMap::new(); terms.len()];
    for term in terms.items() {
        let allowed = check_term(&term);
        for _ in seen.iter().filter(|other| **other == allowed) {
            term.get("matchLabelExpressions").duplicate_value("");
        }
        seen.push(allowed);
    }
}

/// Checks a term, and returns which labels it allows to have which values.
fn check_term<'v>(term: &Field<'_, 'v>) -> BTreeMap<&'v str, BTreeSet<&'v str>> {
    let mut allowed = BTreeMap::new();
    for expression in term.get("matchLabelExpressions").items() {
        let (key, values) = (expression.get("key"), expression.get("values"));
        if values.is_empty() {
            values.required("");
        }
        let mut seen = BTreeSet::new();
        for value in values.items() {
            if !seen.insert(value.str()) {
                value.duplicate();
            }
        }
        check_label_key(&key, key.str());
        if allowed.insert(key.str(), seen).is_some() {
            key.duplicate();
        }
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_update, cluster_wide};
    use serde_json::{Value, json};

    fn class(fields: Value) -> Object {
        let mut value = json!({"provisioner": "example.com/p"});
        for (field, given) in fields.as_object().into_iter().flatten() {
            value[field] = given.clone();
        }
        cluster_wide(value)
    }

    fn zone(values: &[&str]) -> Value {
        json!({"matchLabelExpressions": [{"key": "zone", "values": values}]})
    }

    #[test]
    fn no_two_terms_allow_the_same() {
        let terms = |terms: Value| class(json!({"allowedTopologies": terms}));
        check_create(
            &StorageClass,
            terms(json!([zone(&["a"]), zone(&["b"])])),
            &[],
        );
        check_create(
            &StorageClass,
            terms(json!([zone(&["a", "b"]), zone(&["b", "a"])])),
            &[r#"allowedTopologies[1].matchLabelExpressions: Duplicate value: """#],
        );
        check_create(
            &StorageClass,
            terms(json!([{}])),
            &[r#"allowedTopologies[0].matchLabelExpressions: Duplicate value: """#],
        );
        check_create(
            &StorageClass,
            terms(json!([zone(&["a", "a"])])),
            &[r#"allowedTopologies[0].matchLabelExpressions[0].values[1]: Duplicate value: "a""#],
        );
    }

    #[test]
    fn how_volumes_are_made_stays() {
        let grows = class(json!({"allowVolumeExpansion": true}));
        check_update(&StorageClass, class(json!({})), grows, &[]);
        check_update(
            &StorageClass,
            class(json!({})),
            class(json!({
                "provisioner": "example.com/q", "parameters": {"a": "b"},
                "reclaimPolicy": "Retain", "volumeBindingMode": "WaitForFirstConsumer",
            })),
            &[
                "parameters: Forbidden: updates to parameters are forbidden.",
                "provisioner: Forbidden: updates to provisioner are forbidden.",
                "reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden.",
                r#"volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable"#,
            ],
        );
    }
}
