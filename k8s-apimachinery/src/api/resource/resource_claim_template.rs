//! ResourceClaimTemplate: from which each pod gets a claim of its own.

use super::claim;
use crate::api::metadata::{check_annotations, check_labels};
use crate::api::{Edit, Field, NameRule, Rules};
use crate::object::Object;

/// Rules of `resource.k8s.io/v1` `ResourceClaimTemplate`.
pub struct ResourceClaimTemplate;

impl Rules for ResourceClaimTemplate {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn default(&self, object: &mut Object) {
        claim::default(object.as_map_mut().ensure("spec").ensure("spec"));
    }

    fn check_create(&self, object: &Field) {
        let spec = object.get("spec");
        let metadata = spec.get("metadata");
        check_annotations(&metadata.get("annotations"));
        check_labels(&metadata.get("labels"));
        claim::check(&spec.get("spec"));
    }

    fn check_update(&self, new: &Field, old: &Field) {
        new.get("spec").must_not_change(&old.get("spec"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_update, named};
    use serde_json::json;

    fn template(request: &str) -> Object {
        let requests = json!([{"name": request, "exactly": {"deviceClassName": "c"}}]);
        named(json!({"spec": {"spec": {"devices": {"requests": requests}}}}))
    }

    #[test]
    fn a_template_is_checked_like_a_claim_and_stays() {
        check_create(&ResourceClaimTemplate, template("a"), &[]);
        let faults = ResourceClaimTemplate.validate(&template("A"));
        assert_eq!(faults[0].field, "spec.spec.devices.requests[0].name");
        let mut changed = template("a");
        changed.set(&["spec", "spec"], json!({}));
        check_update(
            &ResourceClaimTemplate,
            template("a"),
            changed,
            &[r#"spec: Invalid value: {"spec":{}}: field is immutable"#],
        );
    }
}
