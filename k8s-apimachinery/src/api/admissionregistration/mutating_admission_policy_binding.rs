//! MutatingAdmissionPolicyBinding: where a policy holds (KEP-3962).

use super::binding;
use crate::api::{Field, NameRule, Rules};
use crate::object::Object;

/// Rules of `admissionregistration.k8s.io/v1` `MutatingAdmissionPolicyBinding`.
pub struct MutatingAdmissionPolicyBinding;

impl Rules for MutatingAdmissionPolicyBinding {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn default(&self, object: &mut Object) {
        binding::default(object);
    }

    fn check(&self, object: &Field) {
        binding::check(&object.get("spec"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, cluster_wide};
    use serde_json::json;

    #[test]
    fn it_binds_a_policy() {
        let rules = &MutatingAdmissionPolicyBinding;
        check_create(
            rules,
            cluster_wide(json!({"spec": {"policyName": "p"}})),
            &[],
        );
        check_create(
            rules,
            cluster_wide(json!({"spec": {}})),
            &["spec.policyName: Required value"],
        );
    }
}
