//! What the reviews of access have in common.

use crate::api::Field;

/// A question is about one thing: a resource or a path.
pub(super) fn check_target(spec: &Field) {
    let (resource, path) = (
        spec.get("resourceAttributes"),
        spec.get("nonResourceAttributes"),
    );
    match (resource.value().is_some(), path.value().is_some()) {
        (true, true) => path.invalid("cannot be specified in combination with resourceAttributes"),
        (false, false) => resource.invalid(
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        ),
        _ => {}
    }
    for selector in ["fieldSelector", "labelSelector"] {
        check_selector(&resource.get(selector), selector);
    }
}

/// A selector is written in one of two ways.
fn check_selector(selector: &Field, name: &str) {
    if selector.value().is_none() {
        return;
    }
    let (raw, requirements) = (selector.get("rawSelector"), selector.get("requirements"));
    match (raw.str().is_empty(), requirements.is_empty()) {
        (true, true) => requirements.required(format!(
            "when {name} is specified, requirements or rawSelector is required"
        )),
        (false, false) => raw.invalid("may not specified at the same time as requirements"),
        _ => {}
    }
    for requirement in requirements.items() {
        let (key, values) = (requirement.get("key"), requirement.get("values"));
        let operator = requirement.get("operator");
        if key.str().is_empty() {
            key.required("must be specified");
        }
        match (operator.str(), values.is_empty()) {
            ("In" | "NotIn", true) => {
                values.required("must be specified when `operator` is 'In' or 'NotIn'");
            }
            ("Exists" | "DoesNotExist", false) => values
                .forbidden("may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
            ("In" | "NotIn" | "Exists" | "DoesNotExist", _) => {}
            _ => operator.invalid("not a valid selector operator"),
        }
    }
}

/// A question about somebody says about whom.
pub(super) fn check_subject(spec: &Field) {
    let (user, groups) = (spec.get("user"), spec.get("groups"));
    if user.str().is_empty() && groups.is_empty() {
        user.invalid_value("", "at least one of user or group must be specified");
    }
}

/// Nothing but these fields may be in the metadata.
pub(super) fn check_metadata(object: &Field, allowed: &[&str], detail: &str) {
    let metadata = object.get("metadata");
    let is_fine = metadata
        .names()
        .all(|name| name == "managedFields" || allowed.contains(&name));
    if !is_fine {
        metadata.invalid(detail);
    }
}
