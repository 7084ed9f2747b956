//! ValidatingAdmissionPolicy: refusals written as expressions (KEP-3488).

use super::expression::must_say_something;
use super::policy;
use crate::api::condition::check_conditions;
use crate::api::{Field, NameRule, Rules};
use crate::name;
use crate::object::Object;

const MAX_ANNOTATIONS: usize = 20;
const MAX_VALUE: usize = 5 * 1024;
const REASONS: [&str; 4] = [
    "Forbidden",
    "Invalid",
    "RequestEntityTooLarge",
    "Unauthorized",
];

/// Rules of `admissionregistration.k8s.io/v1` `ValidatingAdmissionPolicy`.
pub struct ValidatingAdmissionPolicy;

impl Rules for ValidatingAdmissionPolicy {
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
        const NONE: &str = "validations or auditAnnotations must contain at least one item";
        let (metadata, spec) = (object.get("metadata"), object.get("spec"));
        policy::check(&spec);
        let (validations, annotations) = (spec.get("validations"), spec.get("auditAnnotations"));
        if validations.is_empty() && annotations.is_empty() {
            validations.required(NONE);
            annotations.required(NONE);
        }
        validations.items().for_each(|each| check_validation(&each));
        check_annotations(&annotations, metadata.get("name").str());
    }

    fn check_status(&self, new: &Field, _old: &Field) {
        let status = new.get("status");
        let checking = status.get("typeChecking");
        for warning in checking.get("expressionWarnings").items() {
            warning.get("warning").must_be_set();
            must_say_something(&warning.get("fieldRef"), "");
        }
        check_conditions(&status.get("conditions"));
    }
}

fn check_validation(validation: &Field) {
    must_say_something(&validation.get("expression"), "expression is not specified");
    let (message, computed) = (
        validation.get("message"),
        validation.get("messageExpression"),
    );
    if !computed.is_empty() && computed.str().trim().is_empty() {
        computed.invalid("must be non-empty if specified");
    }
    let text = message.str().trim();
    if !message.is_empty() && text.is_empty() {
        message.invalid("message must be non-empty if specified");
    } else if text.contains(['\n', '\r']) {
        message.invalid("message must not contain line breaks");
    }
    let reason = validation.get("reason");
    if reason.is_set() && !REASONS.contains(&reason.str()) {
        reason.unsupported(&REASONS);
    }
}

/// Annotations are called like the policy, with a key behind it.
fn check_annotations(annotations: &Field, policy: &str) {
    if annotations.len() > MAX_ANNOTATIONS {
        annotations.invalid(format!(
            "must not have more than {MAX_ANNOTATIONS} auditAnnotations"
        ));
    }
    for annotation in annotations.items() {
        let (key, value) = (annotation.get("key"), annotation.get("valueExpression"));
        let full = format!("{policy}/{}", key.str());
        for message in name::qualified_name(&full) {
            key.invalid_value(full.as_str(), message);
        }
        if must_say_something(&value, "valueExpression is not specified")
            && value.str().trim().len() > MAX_VALUE
        {
            value.required(format!("must not exceed {MAX_VALUE} bytes in length"));
        }
    }
    annotations.must_differ_in("key");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_status, cluster_wide};
    use serde_json::{Value, json};

    fn policy(fields: Value) -> Object {
        let rule = json!({
            "operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"],
        });
        let mut spec = json!({
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": "true"}],
        });
        for (field, value) in fields.as_object().expect("an object") {
            spec[field] = value.clone();
        }
        cluster_wide(json!({"spec": spec}))
    }

    #[test]
    fn a_policy_is_about_something_and_says_something() {
        check_create(&ValidatingAdmissionPolicy, policy(json!({})), &[]);
        check_create(
            &ValidatingAdmissionPolicy,
            policy(json!({"matchConstraints": null, "validations": []})),
            &[
                "spec.matchConstraints: Required value",
                "spec.validations: Required value: validations or auditAnnotations must contain at least one item",
                "spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item",
            ],
        );
        check_create(
            &ValidatingAdmissionPolicy,
            policy(json!({"matchConstraints": {}})),
            &["spec.matchConstraints.resourceRules: Required value"],
        );
    }

    #[test]
    fn expressions_are_there_and_messages_have_one_line() {
        check_create(
            &ValidatingAdmissionPolicy,
            policy(json!({"validations": [
                {"expression": " ", "message": "a\nb", "messageExpression": " ", "reason": "No"},
            ]})),
            &[
                "spec.validations[0].expression: Required value: expression is not specified",
                r#"spec.validations[0].messageExpression: Invalid value: " ": must be non-empty if specified"#,
                r#"spec.validations[0].message: Invalid value: "a\nb": message must not contain line breaks"#,
                r#"spec.validations[0].reason: Unsupported value: "No": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized""#,
            ],
        );
    }

    #[test]
    fn names_are_told_apart() {
        let twice = |name: &str| json!([{"name": name, "expression": "1"}, {"name": name, "expression": "2"}]);
        check_create(
            &ValidatingAdmissionPolicy,
            policy(
                json!({"matchConditions": twice("a"), "variables": [{"name": "if", "expression": "1"}]}),
            ),
            &[
                r#"spec.matchConditions[1].name: Duplicate value: "a""#,
                r#"spec.variables[0].name: Invalid value: "if": name is not a valid CEL identifier"#,
            ],
        );
        check_create(
            &ValidatingAdmissionPolicy,
            policy(json!({"auditAnnotations": [
                {"key": "a", "valueExpression": "1"}, {"key": "a", "valueExpression": "2"},
            ]})),
            &[r#"spec.auditAnnotations[1].key: Duplicate value: "a""#],
        );
    }

    #[test]
    fn parameters_have_a_kind() {
        check_create(
            &ValidatingAdmissionPolicy,
            policy(json!({"paramKind": {"apiVersion": "a/b/c"}})),
            &[
                r#"spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c"#,
                "spec.paramKind.kind: Required value",
            ],
        );
    }

    #[test]
    fn the_status_names_what_it_warns_of() {
        check_status(
            &ValidatingAdmissionPolicy,
            cluster_wide(json!({"status": {"typeChecking": {"expressionWarnings": [{}]}}})),
            &[
                "status.typeChecking.expressionWarnings[0].warning: Required value",
                "status.typeChecking.expressionWarnings[0].fieldRef: Required value",
            ],
        );
    }
}
