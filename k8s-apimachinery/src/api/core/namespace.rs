//! Namespace: a room for names.

use serde_json::Value;

use crate::api::metadata::{self, STANDARD_FINALIZERS};
use crate::api::{Edit, Field, FieldError, NameRule, Rules, collect_update};
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

    /// Kubernetes reports the finalizers of a new namespace for the list as a whole.
    fn check_create(&self, object: &Field) {
        let spec = object.get("spec");
        let finalizers = spec.get("finalizers");
        for finalizer in finalizers.items() {
            check_finalizer(&finalizers.holding(&finalizer));
        }
    }

    fn check_status(&self, new: &Field, _old: &Field) {
        let phase = new.get("status");
        let value = phase.get("phase").str();
        // Kubernetes names the field as its own type does.
        let phase = phase.get("Phase");
        match new.get("metadata").get("deletionTimestamp").is_set() {
            true if value != "Terminating" => phase.invalid_value(
                value,
                "may only be 'Terminating' if `deletionTimestamp` is not empty",
            ),
            false if value != "Active" => {
                phase.invalid_value(
                    value,
                    "may only be 'Active' if `deletionTimestamp` is empty",
                );
            }
            _ => {}
        }
    }

    /// What `finalize` changes: the finalizers, one by one.
    fn validate_part_update(&self, _part: &str, new: &Object, old: &Object) -> Vec<FieldError> {
        collect_update(new, old, |new, old| {
            metadata::check_update(new, old);
            let spec = new.get("spec");
            let finalizers = spec.get("finalizers");
            finalizers
                .items()
                .for_each(|finalizer| check_finalizer(&finalizer));
        })
    }
}

fn check_finalizer(finalizer: &Field) {
    finalizer.invalid_for(name::qualified_name(finalizer.str()));
    if !finalizer.str().contains('/') && !STANDARD_FINALIZERS.contains(&finalizer.str()) {
        finalizer.invalid("name is neither a standard finalizer name nor is it fully qualified");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_status, cluster_wide, object};
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
    fn the_phase_goes_with_the_deletion() {
        let namespace = |deleted: Value, phase: &str| {
            cluster_wide(json!({
                "metadata": {"deletionTimestamp": deleted}, "status": {"phase": phase},
            }))
        };
        let going = || json!("2030-01-01T00:00:00Z");
        check_status(&Namespace, namespace(json!(null), "Active"), &[]);
        check_status(&Namespace, namespace(going(), "Terminating"), &[]);
        check_status(
            &Namespace,
            namespace(json!(null), "Gone"),
            &[
                r#"status.Phase: Invalid value: "Gone": may only be 'Active' if `deletionTimestamp` is empty"#,
            ],
        );
        check_status(
            &Namespace,
            namespace(going(), "Active"),
            &[
                r#"status.Phase: Invalid value: "Active": may only be 'Terminating' if `deletionTimestamp` is not empty"#,
            ],
        );
    }

    #[test]
    fn finalizers_have_a_domain_or_are_known() {
        let namespace =
            |finalizer: &str| cluster_wide(json!({"spec": {"finalizers": [finalizer]}}));
        let why = r#"Invalid value: "x": name is neither a standard finalizer name nor is it fully qualified"#;
        check_create(&Namespace, namespace("kubernetes"), &[]);
        check_create(
            &Namespace,
            namespace("x"),
            &[&format!("spec.finalizers: {why}")],
        );
        let update = |finalizer: &str| -> Vec<String> {
            let old = namespace("kubernetes");
            let faults = Namespace.validate_part_update("finalize", &namespace(finalizer), &old);
            faults.iter().map(ToString::to_string).collect()
        };
        assert!(update("example.com/x").is_empty());
        assert_eq!(update("x"), [format!("spec.finalizers[0]: {why}")]);
    }

    #[test]
    fn names_are_single_labels() {
        let faults = Namespace.validate(&object(json!({"metadata": {"name": "a.b"}})));
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].field, "metadata.name");
        check_create(&Namespace, cluster_wide(json!({})), &[]);
    }
}
