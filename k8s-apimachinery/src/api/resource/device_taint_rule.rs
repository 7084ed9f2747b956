//! DeviceTaintRule: an administrator's taint on devices (KEP-5055).

use super::identifier::{check_driver, check_label, check_pool};
use super::{must_be_short, taint};
use crate::api::condition::check_conditions;
use crate::api::{Field, NameRule, Rules};

const MAX_CONDITIONS: usize = 8;

/// Rules of `resource.k8s.io/v1` `DeviceTaintRule`.
pub struct DeviceTaintRule;

impl Rules for DeviceTaintRule {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn check_create(&self, object: &Field) {
        check_spec(&object.get("spec"), "");
    }

    fn check_update(&self, new: &Field, old: &Field) {
        let old = old.get("spec");
        let old = old.get("taint");
        check_spec(&new.get("spec"), old.get("effect").str());
    }

    fn check_status(&self, new: &Field, _old: &Field) {
        let status = new.get("status");
        let conditions = status.get("conditions");
        check_conditions(&conditions);
        must_be_short(&conditions, MAX_CONDITIONS);
    }
}

fn check_spec(spec: &Field, old_effect: &str) {
    let selector = spec.get("deviceSelector");
    let check_if_set = |field: &str, check: fn(&Field)| {
        let field = selector.get(field);
        if field.is_set() {
            check(&field);
        }
    };
    check_if_set("driver", check_driver);
    check_if_set("pool", check_pool);
    check_if_set("device", check_label);
    taint::check(&spec.get("taint"), old_effect);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, cluster_wide};
    use serde_json::json;

    #[test]
    fn a_rule_has_a_taint() {
        let rule = |effect: &str| {
            cluster_wide(json!({"spec": {
                "deviceSelector": {"driver": "gpu.example.com"},
                "taint": {"key": "example.com/broken", "effect": effect},
            }}))
        };
        check_create(&DeviceTaintRule, rule("NoExecute"), &[]);
        check_create(
            &DeviceTaintRule,
            rule("Melt"),
            &[
                r#"spec.taint.effect: Unsupported value: "Melt": supported values: "NoExecute", "NoSchedule", "None""#,
            ],
        );
    }
}
