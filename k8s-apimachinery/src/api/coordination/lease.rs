//! Lease: who leads, or which node lives.

use crate::api::{Field, NameRule, Rules};

/// Rules of `coordination.k8s.io/v1` `Lease`.
pub struct Lease;

impl Rules for Lease {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        spec.get("leaseDurationSeconds").must_be_positive();
        spec.get("leaseTransitions").must_not_be_negative();
        let (strategy, preferred) = (spec.get("strategy"), spec.get("preferredHolder"));
        if !preferred.is_empty() && strategy.is_empty() {
            preferred.forbidden("may only be specified if `strategy` is defined");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, named};
    use serde_json::json;

    #[test]
    fn durations_are_positive() {
        check_create(
            &Lease,
            named(json!({"spec": {"leaseDurationSeconds": 40}})),
            &[],
        );
        check_create(
            &Lease,
            named(json!({"spec": {"leaseDurationSeconds": 0, "leaseTransitions": -1}})),
            &[
                "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
                "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0",
            ],
        );
    }
}
