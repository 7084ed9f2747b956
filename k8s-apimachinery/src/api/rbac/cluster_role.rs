//! ClusterRole: rules for the whole cluster, or to be bound in namespaces.

use super::policy_rule;
use crate::api::selector::check_label_selector;
use crate::api::{Field, NameRule, Rules};

/// Rules of `rbac.authorization.k8s.io/v1` `ClusterRole`.
pub struct ClusterRole;

impl Rules for ClusterRole {
    fn name_rule(&self) -> NameRule {
        NameRule::PathSegment
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn check(&self, object: &Field) {
        policy_rule::check_all(&object.get("rules"), self.is_namespaced());
        let aggregation = object.get("aggregationRule");
        if aggregation.is_set() {
            let selectors = aggregation.get("clusterRoleSelectors");
            if selectors.is_empty() {
                selectors.required(
                    "at least one clusterRoleSelector required if aggregationRule is non-nil",
                );
            }
            for selector in selectors.items() {
                check_label_selector(&selector);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, cluster_wide};
    use serde_json::json;

    #[test]
    fn rules_speak_of_resources_or_paths() {
        let role = |rule| cluster_wide(json!({"rules": [rule]}));
        check_create(
            &ClusterRole,
            role(json!({"verbs": ["get"], "nonResourceURLs": ["/x"]})),
            &[],
        );
        check_create(
            &ClusterRole,
            role(json!({"resources": ["pods"]})),
            &[
                "rules[0].verbs: Required value: verbs must contain at least one value",
                "rules[0].apiGroups: Required value: resource rules must supply at least one api group",
            ],
        );
    }
}
