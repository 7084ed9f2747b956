//! Scale: how many replicas a workload should have, the same for all workloads.

use crate::api::{Field, NameRule, Rules};

/// Rules of `autoscaling/v1` `Scale`.
pub struct Scale;

impl Rules for Scale {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        spec.get("replicas").must_not_be_negative();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, named};
    use serde_json::json;

    #[test]
    fn replicas_are_not_negative() {
        check_create(
            &Scale,
            named(json!({"spec": {"replicas": -1}})),
            &["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
        );
    }
}
