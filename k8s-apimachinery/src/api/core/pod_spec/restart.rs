//! When a container is started again, where that differs from its pod (KEP-5307).

use crate::api::field::Field;

const RULES_MAX: usize = 20;
const VALUES_MAX: usize = 255;

/// Checks a container's own restart policy and the rules beside it.
pub(super) fn check(container: &Field) {
    let (policy, rules) = (
        container.get("restartPolicy"),
        container.get("restartPolicyRules"),
    );
    if policy.is_set() {
        policy.may_be_one_of(&["Always", "OnFailure", "Never"]);
    } else if !rules.is_empty() {
        policy.required("must specify restartPolicy when restart rules are used");
    }
    if rules.len() > RULES_MAX {
        rules.too_many(RULES_MAX);
    }
    for rule in rules.items() {
        let action = rule.get("action");
        if !matches!(action.str(), "Restart" | "RestartAllContainers") {
            action.unsupported(&["Restart", "RestartAllContainers"]);
        }
        let codes = rule.get("exitCodes");
        if !codes.is_set() {
            codes.required("must be specified");
            continue;
        }
        let (operator, values) = (codes.get("operator"), codes.get("values"));
        if !matches!(operator.str(), "In" | "NotIn") {
            operator.unsupported(&["In", "NotIn"]);
        }
        if values.len() > VALUES_MAX {
            values.too_many(VALUES_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::api::{collect, testing::object};
    use serde_json::{Value, json};

    #[track_caller]
    fn check(container: Value, want: &[&str]) {
        let faults = collect(&object(container), super::check);
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, want);
    }

    #[test]
    fn rules_stand_beside_a_policy_and_say_for_which_codes() {
        let codes = json!({"operator": "In", "values": [42]});
        let rule = json!({"action": "Restart", "exitCodes": codes});
        check(
            json!({"restartPolicy": "Never", "restartPolicyRules": [rule]}),
            &[],
        );
        check(
            json!({"restartPolicyRules": [rule]}),
            &[
                "restartPolicy: Required value: must specify restartPolicy when restart rules are used",
            ],
        );
        check(
            json!({"restartPolicy": "Sometimes", "restartPolicyRules": [
                {"action": "Stop", "exitCodes": {"operator": "Equals", "values": [1]}},
                {"action": "RestartAllContainers"},
            ]}),
            &[
                r#"restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never""#,
                r#"restartPolicyRules[0].action: Unsupported value: "Stop": supported values: "Restart", "RestartAllContainers""#,
                r#"restartPolicyRules[0].exitCodes.operator: Unsupported value: "Equals": supported values: "In", "NotIn""#,
                "restartPolicyRules[1].exitCodes: Required value: must be specified",
            ],
        );
    }
}
