//! MutatingAdmissionPolicy: changes written as expressions (KEP-3962).

use super::expression::must_say_something;
use super::policy;
use crate::api::{Field, NameRule, Rules};
use crate::object::Object;

/// Rules of `admissionregistration.k8s.io/v1` `MutatingAdmissionPolicy`.
pub struct MutatingAdmissionPolicy;

impl Rules for MutatingAdmissionPolicy {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn default(&self, object: &mut Object) {
        policy::default(object);
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        policy::check(&spec);
        let mutations = spec.get("mutations");
        if mutations.is_empty() {
            mutations.required("mutations must contain at least one item");
        }
        mutations.items().for_each(|each| check_mutation(&each));
        spec.get("reinvocationPolicy")
            .must_be_one_of(&["IfNeeded", "Never"]);
    }
}

/// The expression stands in the field that goes with the type of the patch.
fn check_mutation(mutation: &Field) {
    let type_ = mutation.get("patchType");
    let (wanted, other) = match type_.str() {
        "ApplyConfiguration" => ("applyConfiguration", "jsonPatch"),
        "JSONPatch" => ("jsonPatch", "applyConfiguration"),
        _ => return type_.must_be_one_of(&["ApplyConfiguration", "JSONPatch"]),
    };
    let (patch, other) = (mutation.get(wanted), mutation.get(other));
    match patch.is_set() {
        true => {
            must_say_something(&patch.get("expression"), "expression is not specified");
        }
        false => patch.required(format!(
            "must be specified when patchType is {}",
            type_.str()
        )),
    }
    if other.is_set() {
        other.invalid(format!(
            "must not be specified when patchType is {}",
            type_.str()
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, cluster_wide};
    use serde_json::{Value, json};

    fn policy(mutation: Value) -> Object {
        let rule = json!({
            "operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"],
        });
        cluster_wide(json!({"spec": {
            "matchConstraints": {"resourceRules": [rule]},
            "mutations": [mutation],
            "reinvocationPolicy": "Never",
        }}))
    }

    #[test]
    fn the_expression_goes_with_the_type() {
        let apply = json!({"expression": "Object{}"});
        check_create(
            &MutatingAdmissionPolicy,
            policy(json!({"patchType": "ApplyConfiguration", "applyConfiguration": apply})),
            &[],
        );
        check_create(
            &MutatingAdmissionPolicy,
            policy(json!({"patchType": "JSONPatch", "applyConfiguration": apply})),
            &[
                "spec.mutations[0].jsonPatch: Required value: must be specified when patchType is JSONPatch",
                r#"spec.mutations[0].applyConfiguration: Invalid value: {"expression":"Object{}"}: must not be specified when patchType is JSONPatch"#,
            ],
        );
        check_create(
            &MutatingAdmissionPolicy,
            policy(json!({})),
            &["spec.mutations[0].patchType: Required value"],
        );
    }
}
