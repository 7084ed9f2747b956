//! The template that workloads make pods from.

use serde_json::{Map, Value};

use super::pod_spec;
use crate::api::metadata::{check_annotations, check_labels};
use crate::api::{Edit, Field};

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

/// Checks a template whose pods are kept running for ever.
pub(in crate::api) fn check_lasting(template: &Field) {
    check(template);
    let spec = template.get("spec");
    let restart = spec.get("restartPolicy");
    if matches!(restart.str(), "OnFailure" | "Never") {
        restart.unsupported(&["Always"]);
    }
    let deadline = spec.get("activeDeadlineSeconds");
    if deadline.is_set() {
        deadline.forbidden("activeDeadlineSeconds in ReplicaSet is not Supported");
    }
}
