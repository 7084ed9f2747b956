//! FlowSchema: which requests go to which priority level.

use super::{bootstrap, check_conditions, check_mandatory, policy_rule};
use crate::api::{Edit, Field, NameRule, Rules};
use crate::name;
use crate::object::Object;

const MAX_PRECEDENCE: i64 = 10_000;

/// Rules of `flowcontrol.apiserver.k8s.io/v1` `FlowSchema`.
pub struct FlowSchema;

impl Rules for FlowSchema {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn default(&self, object: &mut Object) {
        let spec = object.as_map_mut().ensure("spec");
        spec.fill_zero("matchingPrecedence", 1000);
    }

    fn check(&self, object: &Field) {
        let (metadata, spec) = (object.get("metadata"), object.get("spec"));
        let name = metadata.get("name").str();
        check_precedence(&spec.get("matchingPrecedence"), name);
        let method = spec.get("distinguisherMethod");
        if method.is_set() {
            let type_ = method.get("type");
            if !matches!(type_.str(), "ByNamespace" | "ByUser") {
                type_
                    .holding(&method)
                    .unsupported(&["ByNamespace", "ByUser"]);
            }
        }
        let level = spec.get("priorityLevelConfiguration");
        let level = level.get("name");
        match level.is_empty() {
            true => level.required("must reference a priority level"),
            false => level.invalid_for(name::dns1123_subdomain(level.str())),
        }
        for rule in spec.get("rules").items() {
            policy_rule::check(&rule);
        }
        check_mandatory(object, bootstrap::mandatory(bootstrap::flow_schemas, name));
        check_conditions(object);
    }

    fn check_status(&self, new: &Field, _old: &Field) {
        check_conditions(new);
    }
}

fn check_precedence(precedence: &Field, name: &str) {
    match precedence.int().unwrap_or(0) {
        number @ ..=0 => precedence.invalid_value(number, "must be a positive value"),
        1 if name != "exempt" => {
            precedence.invalid("only the schema named 'exempt' may have matchingPrecedence 1");
        }
        number if number > MAX_PRECEDENCE => {
            precedence.invalid(format!("must not be greater than {MAX_PRECEDENCE}"));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_status, cluster_wide, object};
    use serde_json::{Value, json};

    fn schema(fields: Value) -> Object {
        let mut spec = json!({"priorityLevelConfiguration": {"name": "a"}});
        for (field, value) in fields.as_object().expect("an object") {
            spec[field] = value.clone();
        }
        cluster_wide(json!({"spec": spec}))
    }

    #[test]
    fn precedence_lies_between_two_and_ten_thousand() {
        let with = |precedence: i64| schema(json!({"matchingPrecedence": precedence}));
        let at = "spec.matchingPrecedence: Invalid value";
        check_create(&FlowSchema, schema(json!({})), &[]);
        check_create(
            &FlowSchema,
            with(-1),
            &[&format!("{at}: -1: must be a positive value")],
        );
        check_create(
            &FlowSchema,
            with(1),
            &[&format!(
                "{at}: 1: only the schema named 'exempt' may have matchingPrecedence 1"
            )],
        );
        check_create(
            &FlowSchema,
            with(10_001),
            &[&format!("{at}: 10001: must not be greater than 10000")],
        );
    }

    #[test]
    fn flows_are_told_apart_by_user_or_namespace() {
        check_create(
            &FlowSchema,
            schema(json!({"distinguisherMethod": {"type": "ByMood"}})),
            &[
                r#"spec.distinguisherMethod.type: Unsupported value: {"type":"ByMood"}: supported values: "ByNamespace", "ByUser""#,
            ],
        );
    }

    #[test]
    fn mandatory_schemas_are_fixed() {
        let spec = json!({"matchingPrecedence": 2, "priorityLevelConfiguration": {"name": "a"}});
        let faults = FlowSchema.validate(&object(
            json!({"metadata": {"name": "exempt"}, "spec": spec}),
        ));
        let fixed = "spec of 'exempt' must equal the fixed value";
        assert!(
            faults.iter().any(|fault| fault.detail == fixed),
            "{faults:?}"
        );
    }

    #[test]
    fn each_condition_is_there_once() {
        let twice = json!([{"type": "Dangling"}, {"type": "Dangling"}, {}]);
        check_status(
            &FlowSchema,
            cluster_wide(json!({"status": {"conditions": twice}})),
            &[
                r#"status.conditions[1].type: Duplicate value: "Dangling""#,
                "status.conditions[2].type: Required value: must not be empty",
            ],
        );
    }
}
