//! What both sorts of bindings share: the role they refer to, and the subjects.

use serde_json::{Map, Value};

use super::GROUP;
use crate::api::{Edit, Field};
use crate::name;

/// Fills in the groups of the role and of the subjects.
pub(super) fn default(binding: &mut Map<String, Value>) {
    binding.ensure("roleRef").fill("apiGroup", GROUP);
    for subject in binding.objects("subjects") {
        if matches!(subject.text("kind"), "User" | "Group") {
            subject.fill("apiGroup", GROUP);
        }
    }
}

/// Checks a binding. `roles` are the kinds it may refer to.
pub(super) fn check(binding: &Field, roles: &[&str], is_namespaced: bool) {
    let role = binding.get("roleRef");
    let [group, kind, name] = ["apiGroup", "kind", "name"].map(|field| role.get(field));
    if group.str() != GROUP {
        group.unsupported(&[GROUP]);
    }
    if !roles.contains(&kind.str()) {
        kind.unsupported(roles);
    }
    if name.must_be_set() {
        name.invalid_for(crate::api::NameRule::PathSegment.faults(name.str()));
    }
    for subject in binding.get("subjects").items() {
        check_subject(&subject, is_namespaced);
    }
}

/// A binding grants the same role as long as it exists.
pub(super) fn check_update(new: &Field, old: &Field) {
    let role = new.get("roleRef");
    if !role.same_as(&old.get("roleRef")) {
        role.invalid("cannot change roleRef");
    }
}

/// An account without a namespace is one of the binding's own, if that has one.
fn check_subject(subject: &Field, is_namespaced: bool) {
    let [kind, group, name, namespace] =
        ["kind", "apiGroup", "name", "namespace"].map(|field| subject.get(field));
    name.must_be_set();
    match kind.str() {
        "ServiceAccount" => {
            if !name.is_empty() {
                name.invalid_for(name::dns1123_subdomain(name.str()));
            }
            if !group.is_empty() {
                group.unsupported(&[""]);
            }
            if !is_namespaced {
                namespace.must_be_set();
            }
        }
        "User" | "Group" => {
            if group.str() != GROUP {
                group.unsupported(&[GROUP]);
            }
        }
        _ => kind.unsupported(&["ServiceAccount", "User", "Group"]),
    }
}
