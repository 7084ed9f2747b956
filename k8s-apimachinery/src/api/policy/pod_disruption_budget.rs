//! PodDisruptionBudget: how many pods of a set may be taken down on purpose at a time.

use crate::api::apps::amount::{check_amount, check_not_more_than_all};
use crate::api::condition::check_conditions;
use crate::api::selector::check_label_selector;
use crate::api::{Field, NameRule, Rules};

/// Rules of `policy/v1` `PodDisruptionBudget`.
pub struct PodDisruptionBudget;

impl Rules for PodDisruptionBudget {
    fn name_rule(&self) -> NameRule {
        NameRule::PathSegment
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn check(&self, object: &Field) {
        const BOUNDS: [&str; 2] = ["minAvailable", "maxUnavailable"];
        let spec = object.get("spec");
        if BOUNDS.iter().all(|bound| spec.get(bound).is_set()) {
            spec.invalid("minAvailable and maxUnavailable cannot be both set");
        }
        for bound in BOUNDS {
            check_bound(&spec.get(bound));
        }
        check_label_selector(&spec.get("selector"));
        spec.get("unhealthyPodEvictionPolicy")
            .may_be_one_of(&["AlwaysAllow", "IfHealthyBudget"]);
    }

    fn check_status(&self, new: &Field, _old: &Field) {
        let status = new.get("status");
        check_conditions(&status.get("conditions"));
        for counter in [
            "disruptionsAllowed",
            "currentHealthy",
            "desiredHealthy",
            "expectedPods",
        ] {
            status.get(counter).must_not_be_negative();
        }
    }
}

/// Checks a number of pods, or a percentage of them up to 100.
fn check_bound(bound: &Field) {
    let amount = check_amount(bound);
    check_not_more_than_all(bound, amount);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, named};
    use crate::object::Object;
    use serde_json::{Value, json};

    #[track_caller]
    fn check(spec: Value, want: &[&str]) {
        check_create(&PodDisruptionBudget, named(json!({ "spec": spec })), want);
    }

    #[test]
    fn a_bound_is_a_number_or_a_percentage() {
        check(json!({}), &[]);
        check(json!({"minAvailable": 0}), &[]);
        check(json!({"maxUnavailable": "100%"}), &[]);
        check(
            json!({"minAvailable": -1}),
            &["spec.minAvailable: Invalid value: -1: must be greater than or equal to 0"],
        );
        check(
            json!({"maxUnavailable": "101%"}),
            &[r#"spec.maxUnavailable: Invalid value: "101%": must not be greater than 100%"#],
        );
    }

    #[test]
    fn only_one_bound_is_given() {
        check(
            json!({"minAvailable": 1, "maxUnavailable": 1}),
            &[
                r#"spec: Invalid value: {"maxUnavailable":1,"minAvailable":1}: minAvailable and maxUnavailable cannot be both set"#,
            ],
        );
    }

    #[test]
    fn the_policy_for_unhealthy_pods_is_a_known_one() {
        check(json!({"unhealthyPodEvictionPolicy": "AlwaysAllow"}), &[]);
        check(
            json!({"unhealthyPodEvictionPolicy": "Never"}),
            &[
                r#"spec.unhealthyPodEvictionPolicy: Unsupported value: "Never": supported values: "AlwaysAllow", "IfHealthyBudget""#,
            ],
        );
    }

    #[test]
    fn counters_are_never_negative() {
        let with = |allowed: i64| -> Object {
            named(
                json!({"metadata": {"resourceVersion": "1"}, "status": {"disruptionsAllowed": allowed}}),
            )
        };
        let faults = PodDisruptionBudget.validate_status_update(&with(-1), &with(0));
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            ["status.disruptionsAllowed: Invalid value: -1: must be greater than or equal to 0"]
        );
    }
}
