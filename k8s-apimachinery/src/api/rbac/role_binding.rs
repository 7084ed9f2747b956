//! RoleBinding: grants a role inside one namespace.

use super::binding;
use crate::api::{Field, NameRule, Rules};
use crate::object::Object;

/// Rules of `rbac.authorization.k8s.io/v1` `RoleBinding`.
pub struct RoleBinding;

impl Rules for RoleBinding {
    fn name_rule(&self) -> NameRule {
        NameRule::PathSegment
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn default(&self, object: &mut Object) {
        binding::default(object.as_map_mut());
    }

    fn check(&self, object: &Field) {
        binding::check(object, &["Role", "ClusterRole"], self.is_namespaced());
    }

    fn check_update(&self, new: &Field, old: &Field) {
        binding::check_update(new, old);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_update, named};
    use serde_json::{Value, json};

    fn binding(role: &str, subject: Value) -> Object {
        named(json!({"roleRef": {"kind": "ClusterRole", "name": role}, "subjects": [subject]}))
    }

    #[test]
    fn groups_are_filled_in_and_accounts_are_of_the_same_namespace() {
        let user = json!({"kind": "User", "name": "u"});
        check_create(&RoleBinding, binding("a", user), &[]);
        check_create(
            &RoleBinding,
            binding("a", json!({"kind": "ServiceAccount", "name": "s"})),
            &[],
        );
    }

    #[test]
    fn the_role_never_changes() {
        let user = || json!({"kind": "User", "name": "u"});
        let want = r#"roleRef: Invalid value: {"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"b"}: cannot change roleRef"#;
        check_update(
            &RoleBinding,
            binding("a", user()),
            binding("b", user()),
            &[want],
        );
    }
}
