//! ControllerRevision: a past state of a workload, kept to go back to.

use crate::api::{Field, NameRule, Rules};

/// Rules of `apps/v1` `ControllerRevision`.
pub struct ControllerRevision;

impl Rules for ControllerRevision {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn check(&self, object: &Field) {
        if !object.get("data").is_set() {
            object.get("data").required("data is mandatory");
        }
        object.get("revision").must_not_be_negative();
    }

    fn check_update(&self, new: &Field, old: &Field) {
        new.get("data").must_not_change(&old.get("data"));
    }
}
