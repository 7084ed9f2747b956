//! The template that workloads make pods from, and the kind that is nothing but one.

use serde_json::{Map, Value};

use super::pod_spec;
use crate::api::metadata::{check_annotations, check_labels};
use crate::api::{Edit, Field, NameRule, Rules};
use crate::object::Object;

/// Rules of `v1` `PodTemplate`.
pub struct PodTemplate;

impl Rules for PodTemplate {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn default(&self, object: &mut Object) {
        default(object.as_map_mut().ensure("template"));
    }

    fn check(&self, object: &Field) {
        check(&object.get("template"));
    }
}

/// Fills in a template. What only single pods get stays open.
pub(in crate::api) fn default(template: &mut Map<String, Value>) {
    pod_spec::default(template.ensure("spec"));
}

/// Checks a template.
pub(in crate::api) fn check(template: &Field) {
    let metadata = template.get("metadata");
    // Kubernetes reports these without `metadata` in the path.
    check_labels(&template.get("labels").holding(&metadata.get("labels")));
    check_annotations(
        &template
            .get("annotations")
            .holding(&metadata.get("annotations")),
    );
    pod_spec::check(&template.get("spec"));
    let spec = template.get("spec");
    let ephemeral = spec.get("ephemeralContainers");
    if !ephemeral.is_empty() {
        ephemeral.forbidden("ephemeral containers not allowed in pod template");
    }
}

/// Checks a template whose pods a workload of this kind keeps running for ever.
pub(in crate::api) fn check_lasting(template: &Field, kind: &str) {
    check(template);
    let spec = template.get("spec");
    let restart = spec.get("restartPolicy");
    if restart.str() != "Always" {
        restart.unsupported(&["Always"]);
    }
    let deadline = spec.get("activeDeadlineSeconds");
    if deadline.is_set() {
        deadline.forbidden(format!("activeDeadlineSeconds in {kind} is not Supported"));
    }
}
