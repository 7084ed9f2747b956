//! Namespace: a room for names.

use serde_json::Value;

use crate::api::{Edit, Field, NameRule, Rules};
use crate::name;
use crate::object::Object;

/// Label that every namespace carries with its own name, so that selectors can choose it.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Rules of `v1` `Namespace`.
pub struct Namespace;

impl Rules for Namespace {
    fn name_rule(&self) -> NameRule {
        NameRule::Label
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn default(&self, object: &mut Object) {
        let name = object.name().to_owned();
        let namespace = object.as_map_mut();
        if !name.is_empty() {
            let labels = namespace.ensure("metadata").ensure("labels");
            labels.insert(NAME_LABEL.to_owned(), Value::from(name));
        }
        namespace.ensure("status").fill("phase", "Active");
    }

    fn check(&self, object: &Field) {
        for finalizer in object.get("spec").get("finalizers").items() {
            finalizer.invalid_for(name::qualified_name(finalizer.str()));
            if !finalizer.str().contains('/') && finalizer.str() != "kubernetes" {
                finalizer
                    .invalid("name is neither a standard finalizer name nor is it fully qualified");
            }
        }
    }

    fn check_status(&self, new: &Field, _old: &Field) {
        let phase = new.get("status");
        let phase = phase.get("phase");
        let is_deleted = new.get("metadata").get("deletionTimestamp").is_set();
        let is_terminating = phase.str() == "Terminating";
        if is_deleted && !is_terminating {
            phase.invalid_value(
                phase.str(),
                "may only be 'Terminating' if `deletionTimestamp` is not empty",
            );
        }
        if !is_deleted && is_terminating {
            phase.invalid_value(
                phase.str(),
                "may only be 'Active' if `deletionTimestamp` is empty",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, cluster_wide, object};
    use serde_json::json;

    #[test]
    fn every_namespace_is_labelled_with_its_name() {
        let mut namespace = cluster_wide(json!({}));
        Namespace.default(&mut namespace);
        assert_eq!(
            namespace.str(&["metadata", "labels", NAME_LABEL]),
            Some("x")
        );
        assert_eq!(namespace.str(&["status", "phase"]), Some("Active"));
    }

    #[test]
    fn names_are_single_labels() {
        let faults = Namespace.validate(&object(json!({"metadata": {"name": "a.b"}})));
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].field, "metadata.name");
        check_create(&Namespace, cluster_wide(json!({})), &[]);
    }
}
