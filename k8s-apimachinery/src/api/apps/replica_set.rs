//! ReplicaSet: keeps so many equal pods running.

use super::{check_counters, check_not_above, check_selector};
use crate::api::core::pod_template;
use crate::api::{Edit, Field, NameRule, Rules};
use crate::object::Object;

/// Rules of `apps/v1` `ReplicaSet`.
pub struct ReplicaSet;

impl Rules for ReplicaSet {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn default(&self, object: &mut Object) {
        let spec = object.as_map_mut().ensure("spec");
        spec.fill("replicas", 1);
        pod_template::default(spec.ensure("template"));
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        spec.get("replicas").must_not_be_negative();
        spec.get("minReadySeconds").must_not_be_negative();
        let empty = "empty selector is invalid for deployment";
        if check_selector(&spec, empty, "invalid label selector") {
            pod_template::check_lasting(&spec.get("template"), "ReplicaSet");
        }
    }

    fn check_update(&self, new: &Field, old: &Field) {
        let (spec, old) = (new.get("spec"), old.get("spec"));
        spec.get("selector").must_not_change(&old.get("selector"));
    }

    fn check_status(&self, new: &Field, _old: &Field) {
        const COUNTERS: [&str; 6] = [
            "replicas",
            "fullyLabeledReplicas",
            "readyReplicas",
            "availableReplicas",
            "terminatingReplicas",
            "observedGeneration",
        ];
        let status = new.get("status");
        check_counters(&status, &COUNTERS);
        for counter in ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"] {
            check_not_above(&status, counter, "replicas", "status.replicas");
        }
        check_not_above(
            &status,
            "availableReplicas",
            "readyReplicas",
            "readyReplicas",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, named};
    use serde_json::{Value, json};

    fn replica_set(selector: Value) -> Object {
        let containers = json!([{"name": "a", "image": "x"}]);
        named(json!({"spec": {
            "selector": selector,
            "template": {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": containers}},
        }}))
    }

    #[test]
    fn the_selector_matches_the_template() {
        let matching = json!({"matchLabels": {"app": "a"}});
        check_create(&ReplicaSet, replica_set(matching), &[]);
        check_create(
            &ReplicaSet,
            replica_set(json!({"matchLabels": {"app": "b"}})),
            &[
                r#"spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`"#,
            ],
        );
        check_create(
            &ReplicaSet,
            replica_set(Value::Null),
            &[
                "spec.selector: Required value",
                r#"spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`"#,
            ],
        );
    }
}
