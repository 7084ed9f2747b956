//! DeviceClass: a name for the sort of devices that claims ask for.

use super::{must_be_short, selector};
use crate::api::{Field, NameRule, Rules};
use crate::name;

const MAX_CONFIGS: usize = 32;

/// Rules of `resource.k8s.io/v1` `DeviceClass`.
pub struct DeviceClass;

impl Rules for DeviceClass {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        selector::check_all(&spec.get("selectors"));
        let configs = spec.get("config");
        if must_be_short(&configs, MAX_CONFIGS) {
            configs
                .items()
                .for_each(|config| selector::check_configuration(&config));
        }
        let extended = spec.get("extendedResourceName");
        if extended.is_set() && !is_extended(extended.str()) {
            extended.invalid("must be a valid extended resource name");
        }
    }
}

/// Whether a resource is one that nodes report beyond Kubernetes' own.
fn is_extended(resource: &str) -> bool {
    resource.contains('/')
        && !resource.contains("kubernetes.io/")
        && !resource.starts_with("requests.")
        && name::qualified_name(&format!("requests.{resource}")).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, cluster_wide};
    use serde_json::{Value, json};

    #[test]
    fn classes_select_configure_and_stand_for_a_resource() {
        let class = |spec: Value| cluster_wide(json!({"spec": spec}));
        check_create(
            &DeviceClass,
            class(json!({"extendedResourceName": "example.com/gpu"})),
            &[],
        );
        check_create(
            &DeviceClass,
            class(json!({
                "selectors": [{}],
                "config": [{"opaque": {"driver": "a", "parameters": 1}}],
                "extendedResourceName": "cpu",
            })),
            &[
                "spec.selectors[0].cel: Required value",
                r#"spec.config[0].opaque.parameters: Invalid value: "<value omitted>": must be a valid JSON object"#,
                r#"spec.extendedResourceName: Invalid value: "cpu": must be a valid extended resource name"#,
            ],
        );
    }
}
