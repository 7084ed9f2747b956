//! ValidatingAdmissionPolicyBinding: where a policy holds, and what becomes of what it refuses (KEP-3488).

use std::collections::HashSet;

use super::binding;
use crate::api::{Field, NameRule, Rules};
use crate::object::Object;

const ACTIONS: [&str; 3] = ["Audit", "Deny", "Warn"];

/// Rules of `admissionregistration.k8s.io/v1` `ValidatingAdmissionPolicyBinding`.
pub struct ValidatingAdmissionPolicyBinding;

impl Rules for ValidatingAdmissionPolicyBinding {
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
        let spec = object.get("spec");
        binding::check(&spec);
        check_actions(&spec.get("validationActions"));
    }
}

fn check_actions(actions: &Field) {
    let mut seen = HashSet::new();
    for action in actions.items() {
        if !ACTIONS.contains(&action.str()) {
            action.unsupported(&ACTIONS);
        }
        if !seen.insert(action.str()) {
            action.duplicate();
        }
    }
    if seen.contains("Deny") && seen.contains("Warn") {
        actions.invalid("must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)");
    }
    if seen.is_empty() {
        actions.required("at least one validation action is required");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, cluster_wide};
    use serde_json::{Value, json};

    fn binding(actions: Value, param: Value) -> Object {
        cluster_wide(json!({"spec": {
            "policyName": "p", "validationActions": actions, "paramRef": param,
        }}))
    }

    #[test]
    fn there_is_an_action_and_none_twice() {
        let rules = &ValidatingAdmissionPolicyBinding;
        check_create(rules, binding(json!(["Deny", "Audit"]), json!(null)), &[]);
        check_create(
            rules,
            binding(json!([]), json!(null)),
            &["spec.validationActions: Required value: at least one validation action is required"],
        );
        check_create(
            rules,
            binding(json!(["Warn", "Deny", "Warn"]), json!(null)),
            &[
                r#"spec.validationActions[2]: Duplicate value: "Warn""#,
                r#"spec.validationActions: Invalid value: ["Warn","Deny","Warn"]: must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)"#,
            ],
        );
    }

    #[test]
    fn parameters_are_named_or_selected() {
        let rules = &ValidatingAdmissionPolicyBinding;
        check_create(
            rules,
            binding(json!(["Deny"]), json!({"parameterNotFoundAction": "Allow"})),
            &["spec.paramRef: Required value: one of name or selector must be specified"],
        );
        check_create(
            rules,
            binding(json!(["Deny"]), json!({"name": "a", "selector": {}})),
            &[
                "spec.paramRef.name: Forbidden: name and selector are mutually exclusive",
                "spec.paramRef.selector: Forbidden: name and selector are mutually exclusive",
                "spec.paramRef.parameterNotFoundAction: Required value",
            ],
        );
    }
}
