//! LocalSubjectAccessReview: may somebody, in this namespace?

use super::access;
use crate::api::{Field, NameRule, Rules};

/// Rules of `authorization.k8s.io/v1` `LocalSubjectAccessReview`.
pub struct LocalSubjectAccessReview;

impl Rules for LocalSubjectAccessReview {
    fn name_rule(&self) -> NameRule {
        NameRule::PathSegment
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        access::check_target(&spec);
        access::check_subject(&spec);
        let allowed = &["namespace"];
        access::check_metadata(object, allowed, "must be empty except for namespace");
        let (metadata, resource) = (object.get("metadata"), spec.get("resourceAttributes"));
        let namespace = resource.get("namespace");
        if resource.value().is_some() && namespace.str() != metadata.get("namespace").str() {
            namespace.invalid_value(namespace.str(), "must match metadata.namespace");
        }
        let path = spec.get("nonResourceAttributes");
        if path.value().is_some() {
            path.invalid("disallowed on this kind of request");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{collect, testing::object};
    use serde_json::{Value, json};

    #[track_caller]
    fn check(review: Value, want: &[&str]) {
        let faults = collect(&object(review), |root| LocalSubjectAccessReview.check(root));
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, want);
    }

    #[test]
    fn a_local_review_stays_in_its_namespace() {
        let asking = |namespace: &str| {
            json!({
                "metadata": {"namespace": "a"},
                "spec": {"user": "jane", "resourceAttributes": {"namespace": namespace, "resource": "pods"}},
            })
        };
        check(asking("a"), &[]);
        check(
            asking("b"),
            &[
                "spec.resourceAttributes.namespace: Invalid value: \"b\": must match metadata.namespace",
            ],
        );
        check(
            json!({"spec": {"user": "jane", "nonResourceAttributes": {"path": "/version"}}}),
            &[
                "spec.nonResourceAttributes: Invalid value: {\"path\":\"/version\"}: disallowed on this kind of request",
            ],
        );
    }
}
