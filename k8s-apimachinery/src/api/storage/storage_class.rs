//! StorageClass: how volumes are made for claims.

use std::collections::HashSet;

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
        for term in object.get("allowedTopologies").items() {
            check_term(&term);
        }
    }

    fn check_update(&self, new: &Field, old: &Field) {
        for field in ["parameters", "provisioner", "reclaimPolicy"] {
            must_stay(new, old, field);
        }
        new.get("volumeBindingMode")
            .must_not_change(&old.get("volumeBindingMode"));
    }
}

fn check_term(term: &Field) {
    let mut keys = HashSet::new();
    for expression in term.get("matchLabelExpressions").items() {
        let (key, values) = (expression.get("key"), expression.get("values"));
        if values.is_empty() {
            values.required("");
        }
        let mut seen = HashSet::new();
        for value in values.items() {
            if !seen.insert(value.str()) {
                value.duplicate();
            }
        }
        check_label_key(&key, key.str());
        if !keys.insert(key.str()) {
            key.duplicate();
        }
    }
}
