//! What bindings of validating and mutating policies have in common.

use super::match_resources;
use crate::api::selector::check_label_selector;
use crate::api::{Edit, Field, NameRule};
use crate::object::Object;

/// Fills in what a binding matches and what becomes of absent parameters.
pub(super) fn default(object: &mut Object) {
    let spec = object.as_map_mut().ensure("spec");
    if let Some(resources) = spec.object("matchResources") {
        match_resources::default(resources);
    }
}

/// Checks which policy is bound, to what, with which parameters.
pub(super) fn check(spec: &Field) {
    let policy = spec.get("policyName");
    if policy.must_be_set() {
        policy.invalid_for(NameRule::Subdomain.faults(policy.str()));
    }
    let param = spec.get("paramRef");
    if param.is_set() {
        check_param(&param);
    }
    let resources = spec.get("matchResources");
    if resources.is_set() {
        // Kubernetes' own spelling.
        match_resources::check(&spec.get("matchResouces").holding(&resources));
    }
}

fn check_param(param: &Field) {
    const BOTH: &str = "name and selector are mutually exclusive";
    let (name, selector) = (param.get("name"), param.get("selector"));
    if !name.is_empty() {
        name.invalid_for(NameRule::PathSegment.faults(name.str()));
    }
    check_label_selector(&selector);
    match (name.is_empty(), selector.is_set()) {
        (false, true) => {
            name.forbidden(BOTH);
            selector.forbidden(BOTH);
        }
        (true, false) => param.required("one of name or selector must be specified"),
        _ => {}
    }
    param
        .get("parameterNotFoundAction")
        .must_be_one_of(&["Deny", "Allow"]);
}
