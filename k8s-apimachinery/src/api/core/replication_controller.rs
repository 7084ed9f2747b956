//! ReplicationController: keeps so many equal pods running; the oldest of its sort.

use super::pod_template;
use crate::api::apps::{check_counters, check_not_above};
use crate::api::{Edit, Field, NameRule, Rules};
use crate::object::Object;

/// Rules of `v1` `ReplicationController`.
pub struct ReplicationController;

impl Rules for ReplicationController {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    /// Selector and labels, where they are missing, are the template's labels.
    fn default(&self, object: &mut Object) {
        let labels = object
            .get(&["spec", "template", "metadata", "labels"])
            .cloned();
        for path in [["spec", "selector"], ["metadata", "labels"]] {
            let held = object.get(&path).and_then(|map| map.as_object());
            if let Some(labels) = &labels
                && held.is_none_or(|map| map.is_empty())
            {
                object.set(&path, labels.clone());
            }
        }
        let spec = object.as_map_mut().ensure("spec");
        spec.fill("replicas", 1);
        spec.object("template")
            .into_iter()
            .for_each(pod_template::default);
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        spec.get("minReadySeconds").must_not_be_negative();
        let (selector, template) = (spec.get("selector"), spec.get("template"));
        selector.must_be_set();
        spec.get("replicas").must_not_be_negative();
        if !template.is_set() {
            template.required("");
            return;
        }
        let metadata = template.get("metadata");
        let labels = metadata.get("labels");
        let is_chosen = |(key, value): (&str, Field)| labels.key(key).same_as(&value);
        if !selector.entries().all(is_chosen) {
            let shown = labels.value().cloned().unwrap_or_default();
            labels.invalid_value(shown, "`selector` does not match template `labels`");
        }
        pod_template::check_lasting(&template, "ReplicationController");
    }

    fn check_status(&self, new: &Field, _old: &Field) {
        const COUNTERS: [&str; 5] = [
            "replicas",
            "fullyLabeledReplicas",
            "readyReplicas",
            "availableReplicas",
            "observedGeneration",
        ];
        let status = new.get("status");
        check_counters(&status, &COUNTERS);
        for counter in &COUNTERS[1..4] {
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
