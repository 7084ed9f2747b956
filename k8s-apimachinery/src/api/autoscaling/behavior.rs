//! How fast an autoscaler may scale up and down.

use serde_json::{Map, Value, json};

use crate::api::{Edit, Field};
use crate::quantity::Quantity;

const MAX_WINDOW: i64 = 3600;
const MAX_PERIOD: i64 = 1800;

/// Fills in both directions as soon as one is given.
pub(super) fn default(behavior: &mut Map<String, Value>) {
    let percent = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
    let pods = json!({"type": "Pods", "value": 4, "periodSeconds": 15});
    let up = behavior.ensure("scaleUp");
    up.fill("stabilizationWindowSeconds", 0);
    default_rules(up, json!([pods, percent.clone()]));
    default_rules(behavior.ensure("scaleDown"), json!([percent]));
}

fn default_rules(rules: &mut Map<String, Value>, policies: Value) {
    rules.fill("selectPolicy", "Max");
    rules.fill("policies", policies);
}

/// Checks both directions.
pub(super) fn check(behavior: &Field) {
    for direction in ["scaleUp", "scaleDown"] {
        let rules = behavior.get(direction);
        if rules.is_set() {
            check_rules(&rules);
        }
    }
}

fn check_rules(rules: &Field) {
    let window = rules.get("stabilizationWindowSeconds");
    match window.int() {
        Some(seconds) if seconds < 0 => window.invalid("must be greater than or equal to zero"),
        Some(seconds) if seconds > MAX_WINDOW => {
            window.invalid(format!("must be less than or equal to {MAX_WINDOW}"));
        }
        _ => {}
    }
    rules
        .get("selectPolicy")
        .may_be_one_of(&["Disabled", "Max", "Min"]);
    let policies = rules.get("policies");
    if policies.is_empty() {
        policies.required("must specify at least one Policy");
    }
    policies.items().for_each(|policy| check_policy(&policy));
    let tolerance = rules.get("tolerance");
    let amount = tolerance.str().parse::<Quantity>();
    if amount.is_ok_and(|amount| amount.is_negative()) {
        tolerance.invalid("must be greater or equal to zero");
    }
}

fn check_policy(policy: &Field) {
    let type_ = policy.get("type");
    if !matches!(type_.str(), "Pods" | "Percent") {
        type_.unsupported(&["Percent", "Pods"]);
    }
    for number in ["value", "periodSeconds"] {
        let field = policy.get(number);
        let number = field.int().unwrap_or(0);
        if number <= 0 {
            field.invalid_value(number, "must be greater than zero");
        }
    }
    let period = policy.get("periodSeconds");
    if period.int().is_some_and(|seconds| seconds > MAX_PERIOD) {
        period.invalid(format!("must be less than or equal to {MAX_PERIOD}"));
    }
}
