//! Kinds of `networking.k8s.io`.

pub mod ingress;
pub mod ingress_class;
pub mod ip_address;
pub mod network_policy;
pub mod service_cidr;

use super::{Field, NameRule};
use crate::name;

/// Checks a reference by group, kind and name, as backends and parameters have it.
fn check_reference(reference: &Field) {
    let group = reference.get("apiGroup");
    if group.is_set() {
        group.invalid_for(name::dns1123_subdomain(group.str()));
    }
    for name in ["kind", "name"] {
        let field = reference.get(name);
        if field.is_empty() {
            field.required(format!("{name} is required"));
        } else {
            field.invalid_for(NameRule::PathSegment.faults(field.str()));
        }
    }
}
