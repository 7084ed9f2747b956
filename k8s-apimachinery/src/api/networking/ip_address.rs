//! IPAddress: an address that is taken, and by whom (KEP-1880). Its name is the address.

use crate::api::{Field, NameRule, Rules};
use crate::name;

/// Rules of `networking.k8s.io/v1` `IPAddress`.
pub struct IPAddress;

impl Rules for IPAddress {
    fn name_rule(&self) -> NameRule {
        NameRule::IpAddress
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn check_create(&self, object: &Field) {
        let spec = object.get("spec");
        let parent = spec.get("parentRef");
        if !parent.is_set() {
            return parent.required("");
        }
        let (group, namespace) = (parent.get("group"), parent.get("namespace"));
        if !group.is_empty() {
            group.invalid_for(name::dns1123_subdomain(group.str()));
        }
        for field in ["resource", "name"] {
            let field = parent.get(field);
            if field.must_be_set() {
                field.invalid_for(NameRule::PathSegment.faults(field.str()));
            }
        }
        namespace.invalid_for(NameRule::PathSegment.faults(namespace.str()));
    }

    fn check_update(&self, new: &Field, old: &Field) {
        let (spec, old) = (new.get("spec"), old.get("spec"));
        spec.get("parentRef").must_not_change(&old.get("parentRef"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_update, object};
    use crate::object::Object;
    use serde_json::{Value, json};

    fn address(name: &str, parent: Value) -> Object {
        object(json!({"metadata": {"name": name}, "spec": {"parentRef": parent}}))
    }

    #[test]
    fn the_name_is_an_address_in_its_one_form() {
        let parent = || json!({"resource": "services", "namespace": "default", "name": "a"});
        check_create(&IPAddress, address("10.0.0.1", parent()), &[]);
        check_create(
            &IPAddress,
            address("2001:DB8::1", parent()),
            &[
                r#"metadata.name: Invalid value: "2001:DB8::1": must be in canonical form ("2001:db8::1")"#,
            ],
        );
        check_create(
            &IPAddress,
            address("10.0.0.1", json!(null)),
            &["spec.parentRef: Required value"],
        );
        check_create(
            &IPAddress,
            address("10.0.0.1", json!({"name": "a/b"})),
            &[
                "spec.parentRef.resource: Required value",
                r#"spec.parentRef.name: Invalid value: "a/b": may not contain '/'"#,
            ],
        );
    }

    #[test]
    fn an_address_never_changes_hands() {
        let of = |name: &str| address("10.0.0.1", json!({"resource": "services", "name": name}));
        check_update(
            &IPAddress,
            of("a"),
            of("b"),
            &[
                r#"spec.parentRef: Invalid value: {"name":"b","resource":"services"}: field is immutable"#,
            ],
        );
    }
}
