//! RuntimeClass: how a node runs the containers of a pod (KEP-585).

use crate::api::core::{check_overhead, check_toleration};
use crate::api::metadata::check_labels;
use crate::api::{Field, NameRule, Rules};
use crate::name;

/// Rules of `node.k8s.io/v1` `RuntimeClass`.
pub struct RuntimeClass;

impl Rules for RuntimeClass {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn check(&self, object: &Field) {
        let handler = object.get("handler");
        for message in name::dns1123_label(handler.str()) {
            handler.invalid_value(handler.str(), message);
        }
        let overhead = object.get("overhead");
        if overhead.is_set() {
            check_overhead(&overhead, &overhead.get("podFixed"));
        }
        let scheduling = object.get("scheduling");
        check_labels(&scheduling.get("nodeSelector"));
        let tolerations = scheduling.get("tolerations");
        for (at, toleration) in tolerations.items().enumerate() {
            check_toleration(&toleration);
            if tolerations.items().take(at).any(|t| t.same_as(&toleration)) {
                toleration.duplicate();
            }
        }
    }

    fn check_update(&self, new: &Field, old: &Field) {
        new.get("handler").must_not_change(&old.get("handler"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_update, cluster_wide};
    use serde_json::json;

    #[test]
    fn handlers_are_labels_and_stay() {
        let class = |handler: &str| cluster_wide(json!({"handler": handler}));
        check_create(&RuntimeClass, class("gvisor"), &[]);
        check_update(
            &RuntimeClass,
            class("a"),
            class("b"),
            &[r#"handler: Invalid value: "b": field is immutable"#],
        );
        let faults = RuntimeClass.validate(&class("A_b"));
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!(faults[0].field, "handler");
    }

    #[test]
    fn overhead_is_an_amount_of_a_resource() {
        let class = |amount: &str| {
            cluster_wide(json!({"handler": "a", "overhead": {"podFixed": {"memory": amount}}}))
        };
        check_create(&RuntimeClass, class("10Mi"), &[]);
        check_create(
            &RuntimeClass,
            class("-1"),
            &[
                r#"overhead.limits[memory]: Invalid value: "-1": must be greater than or equal to 0"#,
            ],
        );
    }

    #[test]
    fn tolerations_differ() {
        let toleration = || json!({"key": "a", "operator": "Exists"});
        let scheduling = json!({"tolerations": [toleration(), toleration()]});
        check_create(
            &RuntimeClass,
            cluster_wide(json!({"handler": "a", "scheduling": scheduling})),
            &[r#"scheduling.tolerations[1]: Duplicate value: {"key":"a","operator":"Exists"}"#],
        );
    }
}
