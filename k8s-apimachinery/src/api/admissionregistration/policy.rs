//! What validating and mutating policies have in common.

use serde_json::{Map, Value};

use super::{expression, match_resources};
use crate::api::{Edit, Field};
use crate::name;
use crate::object::Object;

/// Fills in a policy, and returns its spec.
pub(super) fn default(object: &mut Object) -> &mut Map<String, Value> {
    let spec = object.as_map_mut().ensure("spec");
    spec.fill("failurePolicy", "Fail");
    if let Some(resources) = spec.object("matchConstraints") {
        match_resources::default(resources);
    }
    spec
}

/// Checks what a policy is about and what it may use.
pub(super) fn check(spec: &Field) {
    spec.get("failurePolicy")
        .must_be_one_of(&["Fail", "Ignore"]);
    let param_kind = spec.get("paramKind");
    if param_kind.is_set() {
        check_param_kind(&param_kind);
    }
    let resources = spec.get("matchConstraints");
    if resources.is_set() {
        match_resources::check(&resources);
        resources.get("resourceRules").must_be_set();
    } else {
        resources.required("");
    }
    expression::check_match_conditions(&spec.get("matchConditions"));
    expression::check_variables(&spec.get("variables"));
}

fn check_param_kind(param_kind: &Field) {
    let (api_version, kind) = (param_kind.get("apiVersion"), param_kind.get("kind"));
    if api_version.must_be_set() {
        check_api_version(&api_version);
    }
    if kind.must_be_set() {
        let faults = name::dns1035_label(&kind.str().to_lowercase());
        if !faults.is_empty() {
            kind.invalid(format!(
                "may have mixed case, but should otherwise match: {}",
                faults.join(",")
            ));
        }
    }
}

fn check_api_version(field: &Field) {
    let text = field.str();
    let (group, version) = match text.matches('/').count() {
        0 => ("", text),
        1 => text.split_once('/').expect("it has a slash"),
        _ => return field.invalid(format!("unexpected GroupVersion string: {text}")),
    };
    if !group.is_empty() {
        let faults = name::dns1123_subdomain(group);
        if !faults.is_empty() {
            field.invalid_value(group, faults.join(","));
        }
    }
    if version.is_empty() {
        return field.invalid("version must be specified");
    }
    let faults = name::dns1035_label(version);
    if !faults.is_empty() {
        field.invalid_value(version, faults.join(","));
    }
}
