//! ResourceClaim: devices that pods ask for, and what they were given.

use super::claim::RequestNames;
use super::{allocation, claim, must_be_short};
use crate::api::{Edit, Field, NameRule, Rules};
use crate::object::Object;

const MAX_RESERVED: usize = 256;

/// Rules of `resource.k8s.io/v1` `ResourceClaim`.
pub struct ResourceClaim;

impl Rules for ResourceClaim {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn default(&self, object: &mut Object) {
        claim::default(object.as_map_mut().ensure("spec"));
    }

    fn check_create(&self, object: &Field) {
        claim::check(&object.get("spec"));
    }

    fn check_update(&self, new: &Field, old: &Field) {
        new.get("spec").must_not_change(&old.get("spec"));
    }

    fn check_status(&self, new: &Field, old: &Field) {
        let (status, old_status) = (new.get("status"), old.get("status"));
        let (given, old_given) = (status.get("allocation"), old_status.get("allocation"));
        check_reserved(new, &old_status.get("reservedFor"));
        allocation::check_devices(&status.get("devices"), &given);
        if !given.is_set() {
            return;
        }
        match old_given.is_set() {
            true => given.must_not_change(&old_given),
            false => {
                let spec = new.get("spec");
                allocation::check(&given, &RequestNames::of(&spec.get("devices")));
            }
        }
    }
}

fn check_reserved(claim: &Field, old: &Field) {
    let (metadata, status) = (claim.get("metadata"), claim.get("status"));
    let reserved = status.get("reservedFor");
    if must_be_short(&reserved, MAX_RESERVED) {
        for consumer in reserved.items() {
            for field in ["resource", "name", "uid"] {
                consumer.get(field).must_be_set();
            }
        }
        reserved.must_differ_in("uid");
    }
    if reserved.is_empty() {
        return;
    }
    if !status.get("allocation").is_set() {
        return reserved.forbidden("may not be specified when `allocated` is not set");
    }
    let is_new = |consumer: Field| !old.items().any(|each| each.same_as(&consumer));
    if metadata.get("deletionTimestamp").is_set() && reserved.items().any(is_new) {
        reserved.forbidden("new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set");
    }
}

#[cfg(test)]
mod tests;
