//! SubjectAccessReview: may somebody?

use super::access;
use crate::api::{Field, NameRule, Rules};

/// Rules of `authorization.k8s.io/v1` `SubjectAccessReview`.
pub struct SubjectAccessReview;

impl Rules for SubjectAccessReview {
    fn name_rule(&self) -> NameRule {
        NameRule::PathSegment
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        access::check_target(&spec);
        access::check_subject(&spec);
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
        let faults = collect(&object(review), |root| SubjectAccessReview.check(root));
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, want);
    }

    #[test]
    fn a_review_of_somebody_names_them() {
        let path = json!({"verb": "get", "path": "/version"});
        check(
            json!({"spec": {"user": "jane", "nonResourceAttributes": path}}),
            &[],
        );
        check(
            json!({"spec": {"groups": ["g"], "nonResourceAttributes": path}}),
            &[],
        );
        check(
            json!({"spec": {"nonResourceAttributes": path}}),
            &["spec.user: Invalid value: \"\": at least one of user or group must be specified"],
        );
    }
}
