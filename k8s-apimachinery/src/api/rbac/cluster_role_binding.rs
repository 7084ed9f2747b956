//! ClusterRoleBinding: grants a role in the whole cluster.

use super::binding;
use crate::api::{Field, NameRule, Rules};
use crate::object::Object;

/// Rules of `rbac.authorization.k8s.io/v1` `ClusterRoleBinding`.
pub struct ClusterRoleBinding;

impl Rules for ClusterRoleBinding {
    fn name_rule(&self) -> NameRule {
        NameRule::PathSegment
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn default(&self, object: &mut Object) {
        binding::default(object.as_map_mut());
    }

    fn check(&self, object: &Field) {
        binding::check(object, &["ClusterRole"], self.is_namespaced());
    }

    fn check_update(&self, new: &Field, old: &Field) {
        binding::check_update(new, old);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_update, cluster_wide};
    use serde_json::{Value, json};

    fn binding(role: &str, subject: Value) -> Object {
        cluster_wide(
            json!({"roleRef": {"kind": "ClusterRole", "name": role}, "subjects": [subject]}),
        )
    }

    #[test]
    fn groups_are_filled_in_and_accounts_need_a_namespace() {
        let user = json!({"kind": "User", "name": "u"});
        check_create(&ClusterRoleBinding, binding("a", user), &[]);
        check_create(
            &ClusterRoleBinding,
            binding("a", json!({"kind": "ServiceAccount", "name": "s"})),
            &["subjects[0].namespace: Required value"],
        );
    }

    #[test]
    fn the_role_never_changes() {
        let user = || json!({"kind": "User", "name": "u"});
        let want = r#"roleRef: Invalid value: {"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"b"}: cannot change roleRef"#;
        check_update(
            &ClusterRoleBinding,
            binding("a", user()),
            binding("b", user()),
            &[want],
        );
    }
}
