//! IngressClass: which controller serves an ingress.

use super::check_reference;
use crate::api::{Edit, Field, NameRule, Rules};
use crate::name;
use crate::object::Object;

const MAX_CONTROLLER: usize = 250;

/// Rules of `networking.k8s.io/v1` `IngressClass`.
pub struct IngressClass;

impl Rules for IngressClass {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn default(&self, object: &mut Object) {
        let spec = object.as_map_mut().object("spec");
        if let Some(parameters) = spec.and_then(|spec| spec.object("parameters")) {
            parameters.fill("scope", "Cluster");
        }
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        let controller = spec.get("controller");
        if controller.str().len() > MAX_CONTROLLER {
            controller.too_long(MAX_CONTROLLER);
        }
        controller.must_be_domain_path();
        let parameters = spec.get("parameters");
        if parameters.is_set() {
            check_reference(&parameters);
            check_scope(&parameters);
        }
    }

    fn check_update(&self, new: &Field, old: &Field) {
        let (spec, old) = (new.get("spec"), old.get("spec"));
        spec.get("controller")
            .must_not_change(&old.get("controller"));
    }
}

fn check_scope(parameters: &Field) {
    let (scope, namespace) = (parameters.get("scope"), parameters.get("namespace"));
    match scope.str() {
        "Namespace" if !namespace.is_set() => {
            namespace.required("`parameters.scope` is set to 'Namespace'");
        }
        "Namespace" => namespace.invalid_for(name::dns1123_label(namespace.str())),
        "Cluster" => {
            if namespace.is_set() {
                namespace.forbidden("`parameters.scope` is set to 'Cluster'");
            }
        }
        _ => scope.must_be_one_of(&["Cluster", "Namespace"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_update, cluster_wide};
    use serde_json::{Value, json};

    fn class(controller: &str, parameters: Value) -> Object {
        cluster_wide(json!({"spec": {"controller": controller, "parameters": parameters}}))
    }

    #[test]
    fn controllers_are_domains_with_a_path() {
        check_create(&IngressClass, class("example.com/a", json!(null)), &[]);
        check_create(
            &IngressClass,
            class("a", json!(null)),
            &[
                r#"spec.controller: Invalid value: "a": must be a domain-prefixed path (such as "acme.io/foo")"#,
            ],
        );
        check_update(
            &IngressClass,
            class("example.com/a", json!(null)),
            class("example.com/b", json!(null)),
            &[r#"spec.controller: Invalid value: "example.com/b": field is immutable"#],
        );
    }

    #[test]
    fn namespaces_of_parameters_go_with_the_scope() {
        let with = |extra: Value| {
            let mut parameters = json!({"kind": "K", "name": "n"});
            for (field, value) in extra.as_object().expect("an object") {
                parameters[field] = value.clone();
            }
            class("example.com/a", parameters)
        };
        check_create(&IngressClass, with(json!({})), &[]);
        check_create(
            &IngressClass,
            with(json!({"namespace": "a"})),
            &["spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'"],
        );
        check_create(
            &IngressClass,
            with(json!({"scope": "Namespace"})),
            &[
                "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'",
            ],
        );
    }
}
