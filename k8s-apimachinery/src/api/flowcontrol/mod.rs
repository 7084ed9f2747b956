//! Kinds of `flowcontrol.apiserver.k8s.io` (KEP-1040).

pub mod bootstrap;
pub mod flow_schema;
mod policy_rule;
pub mod priority_level_configuration;
mod subject;

use super::Field;

/// Checks the conditions of a status: each type once.
fn check_conditions(object: &Field) {
    let status = object.get("status");
    let conditions = status.get("conditions");
    conditions.must_differ_in("type");
    for condition in conditions.items() {
        let type_ = condition.get("type");
        if type_.is_empty() {
            type_.required("must not be empty");
        }
    }
}

/// Checks that a mandatory object has the spec that it must have.
fn check_mandatory(object: &Field, spec: Option<serde_json::Value>) {
    let (metadata, found) = (object.get("metadata"), object.get("spec"));
    if spec.is_some_and(|spec| found.value() != Some(&spec)) {
        let name = metadata.get("name").str();
        found.invalid(format!("spec of '{name}' must equal the fixed value"));
    }
}
