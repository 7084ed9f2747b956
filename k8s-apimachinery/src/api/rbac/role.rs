//! Role: rules inside one namespace.

use super::policy_rule;
use crate::api::{Field, NameRule, Rules};

/// Rules of `rbac.authorization.k8s.io/v1` `Role`.
pub struct Role;

impl Rules for Role {
    fn name_rule(&self) -> NameRule {
        NameRule::PathSegment
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn check(&self, object: &Field) {
        policy_rule::check_all(&object.get("rules"), self.is_namespaced());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, named};
    use serde_json::json;

    #[test]
    fn paths_are_for_cluster_roles() {
        let role = |rule| named(json!({"rules": [rule]}));
        let pods = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]});
        check_create(&Role, role(pods), &[]);
        check_create(
            &Role,
            role(json!({"verbs": ["get"], "nonResourceURLs": ["/x"]})),
            &[
                r#"rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs"#,
            ],
        );
    }
}
