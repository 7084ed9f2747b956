//! SelfSubjectAccessReview: may I?

use super::access;
use crate::api::{Field, NameRule, Rules};

/// Rules of `authorization.k8s.io/v1` `SelfSubjectAccessReview`.
pub struct SelfSubjectAccessReview;

impl Rules for SelfSubjectAccessReview {
    fn name_rule(&self) -> NameRule {
        NameRule::PathSegment
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn check(&self, object: &Field) {
        access::check_target(&object.get("spec"));
        access::check_metadata(object, &[], "must be empty");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{collect, testing::object};
    use serde_json::{Value, json};

    #[track_caller]
    fn check(review: Value, want: &[&str]) {
        let faults = collect(&object(review), |root| SelfSubjectAccessReview.check(root));
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, want);
    }

    #[test]
    fn a_review_asks_one_thing_and_has_no_name() {
        let pods = json!({"verb": "get", "resource": "pods"});
        let path = json!({"path": "/version"});
        check(json!({"spec": {"resourceAttributes": pods}}), &[]);
        check(
            json!({}),
            &[
                "spec.resourceAttributes: Invalid value: \"null\": exactly one of nonResourceAttributes or \
                 resourceAttributes must be specified",
            ],
        );
        check(
            json!({"spec": {"resourceAttributes": pods, "nonResourceAttributes": path}}),
            &[
                "spec.nonResourceAttributes: Invalid value: {\"path\":\"/version\"}: cannot be specified in \
                 combination with resourceAttributes",
            ],
        );
        check(
            json!({"metadata": {"name": "x"}, "spec": {"nonResourceAttributes": path}}),
            &["metadata: Invalid value: {\"name\":\"x\"}: must be empty"],
        );
    }

    #[test]
    fn a_time_that_is_null_is_no_metadata() {
        let spec = json!({"nonResourceAttributes": {"path": "/version"}});
        check(
            json!({"metadata": {"creationTimestamp": null}, "spec": spec}),
            &[],
        );
    }

    #[test]
    fn a_selector_is_raw_or_taken_apart() {
        let of = |selector: Value| json!({"spec": {"resourceAttributes": {"resource": "pods", "fieldSelector": selector}}});
        let at = "spec.resourceAttributes.fieldSelector";
        check(of(json!({"rawSelector": "a=b"})), &[]);
        check(
            of(json!({})),
            &[&format!(
                "{at}.requirements: Required value: when fieldSelector is specified, requirements or rawSelector is \
                 required"
            )],
        );
        let both =
            json!({"rawSelector": "a=b", "requirements": [{"key": "a", "operator": "Exists"}]});
        check(
            of(both),
            &[&format!(
                "{at}.rawSelector: Invalid value: \"a=b\": may not specified at the same time as requirements"
            )],
        );
        check(
            of(
                json!({"requirements": [{"key": "", "operator": "In"}, {"key": "a", "operator": "Is"}]}),
            ),
            &[
                &format!("{at}.requirements[0].key: Required value: must be specified"),
                &format!(
                    "{at}.requirements[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'"
                ),
                &format!(
                    "{at}.requirements[1].operator: Invalid value: \"Is\": not a valid selector operator"
                ),
            ],
        );
    }
}
