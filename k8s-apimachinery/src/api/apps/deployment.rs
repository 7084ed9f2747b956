//! Deployment: rolls ReplicaSets over, one template after the other.

use serde_json::Value;

use super::{check_counters, check_not_above, check_selector};
use crate::api::core::pod_template;
use crate::api::{Edit, Field, NameRule, Rules};
use crate::object::Object;

/// Rules of `apps/v1` `Deployment`.
pub struct Deployment;

impl Rules for Deployment {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn default(&self, object: &mut Object) {
        let spec = object.as_map_mut().ensure("spec");
        spec.fill("replicas", 1);
        spec.fill("revisionHistoryLimit", 10);
        spec.fill("progressDeadlineSeconds", 600);
        let strategy = spec.ensure("strategy");
        strategy.fill("type", "RollingUpdate");
        if strategy.text("type") == "RollingUpdate" {
            let rolling = strategy.ensure("rollingUpdate");
            rolling.fill("maxUnavailable", "25%");
            rolling.fill("maxSurge", "25%");
        }
        pod_template::default(spec.ensure("template"));
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        spec.get("replicas").must_not_be_negative();
        check_selector(&spec);
        pod_template::check_lasting(&spec.get("template"));
        check_strategy(&spec.get("strategy"));
        spec.get("minReadySeconds").must_not_be_negative();
        spec.get("revisionHistoryLimit").must_not_be_negative();
        let deadline = spec.get("progressDeadlineSeconds");
        deadline.must_not_be_negative();
        let ready = spec.get("minReadySeconds").int().unwrap_or(0);
        if deadline.int().is_some_and(|deadline| deadline <= ready) {
            deadline.invalid("must be greater than minReadySeconds");
        }
    }

    fn check_update(&self, new: &Field, old: &Field) {
        let (spec, old) = (new.get("spec"), old.get("spec"));
        spec.get("selector").must_not_change(&old.get("selector"));
    }

    fn check_status(&self, new: &Field, old: &Field) {
        const COUNTERS: [&str; 6] = [
            "observedGeneration",
            "replicas",
            "updatedReplicas",
            "readyReplicas",
            "availableReplicas",
            "unavailableReplicas",
        ];
        let (status, old) = (new.get("status"), old.get("status"));
        check_counters(&status, &COUNTERS);
        for counter in ["updatedReplicas", "readyReplicas", "availableReplicas"] {
            check_not_above(&status, counter, "replicas", "status.replicas");
        }
        check_not_above(
            &status,
            "availableReplicas",
            "readyReplicas",
            "readyReplicas",
        );
        let collisions = status.get("collisionCount");
        collisions.must_not_be_negative();
        if collisions.int().unwrap_or(0) < old.get("collisionCount").int().unwrap_or(0) {
            collisions.invalid_value(collisions.int().unwrap_or(0), "cannot be decremented");
        }
    }
}

fn check_strategy(strategy: &Field) {
    let (type_, rolling) = (strategy.get("type"), strategy.get("rollingUpdate"));
    match type_.str() {
        "Recreate" => {
            if rolling.is_set() {
                rolling.forbidden("may not be specified when strategy `type` is 'Recreate'");
            }
        }
        "RollingUpdate" => check_rolling(&rolling),
        _ => type_.must_be_one_of(&["Recreate", "RollingUpdate"]),
    }
}

fn check_rolling(rolling: &Field) {
    let (unavailable, surge) = (rolling.get("maxUnavailable"), rolling.get("maxSurge"));
    let unavailable_amount = check_amount(&unavailable);
    let surge_amount = check_amount(&surge);
    if unavailable_amount == Some(0) && surge_amount == Some(0) {
        unavailable.invalid("may not be 0 when `maxSurge` is 0");
    }
    let is_percentage = unavailable.value().is_some_and(Value::is_string);
    if is_percentage && unavailable_amount.is_some_and(|percent| percent > 100) {
        unavailable.invalid("must not be greater than 100%");
    }
}

/// Checks a number of pods or a percentage of them, and returns the bare number.
fn check_amount(amount: &Field) -> Option<i64> {
    let Some(Value::String(text)) = amount.value() else {
        amount.must_not_be_negative();
        return amount.int();
    };
    let percent = text
        .strip_suffix('%')
        .filter(|n| n.bytes().all(|c| c.is_ascii_digit()));
    let percent = percent.and_then(|n| n.parse().ok());
    if percent.is_none() {
        amount.invalid("a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')");
    }
    percent
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_update, named};
    use serde_json::json;

    fn deployment(fields: Value) -> Object {
        let mut spec = json!({
            "selector": {"matchLabels": {"app": "a"}},
            "template": {
                "metadata": {"labels": {"app": "a"}},
                "spec": {"containers": [{"name": "a", "image": "x"}]},
            },
        });
        for (key, value) in fields.as_object().into_iter().flatten() {
            spec[key] = value.clone();
        }
        named(json!({"spec": spec}))
    }

    #[test]
    fn a_quarter_may_surge_or_be_missing_by_default() {
        let mut object = deployment(json!({}));
        Deployment.default(&mut object);
        let strategy = json!({
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
        });
        assert_eq!(object.get(&["spec", "strategy"]), Some(&strategy));
        assert_eq!(object.get(&["spec", "replicas"]), Some(&json!(1)));
        assert_eq!(
            object.get(&["spec", "revisionHistoryLimit"]),
            Some(&json!(10))
        );
        assert_eq!(
            object.get(&["spec", "progressDeadlineSeconds"]),
            Some(&json!(600))
        );
        let links = ["spec", "template", "spec", "enableServiceLinks"];
        assert_eq!(
            object.get(&links),
            None,
            "only single pods get this default"
        );
    }

    #[test]
    fn amounts_are_numbers_or_percentages() {
        let rolling = |unavailable: Value, surge: Value| {
            let rolling = json!({"maxUnavailable": unavailable, "maxSurge": surge});
            deployment(json!({"strategy": {"rollingUpdate": rolling}}))
        };
        let path = "spec.strategy.rollingUpdate";
        check_create(&Deployment, rolling(json!(0), json!(1)), &[]);
        check_create(
            &Deployment,
            rolling(json!(0), json!("0%")),
            &[&format!(
                "{path}.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"
            )],
        );
        check_create(
            &Deployment,
            rolling(json!("150%"), json!(1)),
            &[&format!(
                "{path}.maxUnavailable: Invalid value: \"150%\": must not be greater than 100%"
            )],
        );
        check_create(
            &Deployment,
            rolling(json!(-1), json!(1)),
            &[&format!(
                "{path}.maxUnavailable: Invalid value: -1: must be greater than or equal to 0"
            )],
        );
    }

    #[test]
    fn replicas_deadline_and_template_are_checked() {
        check_create(
            &Deployment,
            deployment(json!({"replicas": -1, "minReadySeconds": 600})),
            &[
                "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
                "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds",
            ],
        );
        let mut once = deployment(json!({}));
        once.as_map_mut()
            .ensure("spec")
            .ensure("template")
            .ensure("spec")
            .insert("restartPolicy".to_owned(), json!("Never"));
        check_create(
            &Deployment,
            once,
            &[
                r#"spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always""#,
            ],
        );
    }

    #[test]
    fn the_selector_never_changes() {
        let labels = json!({"app": "a", "b": "c"});
        let changed = deployment(json!({
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "a", "image": "x"}]}},
        }));
        check_update(
            &Deployment,
            deployment(json!({})),
            changed,
            &[
                r#"spec.selector: Invalid value: {"matchLabels":{"app":"a","b":"c"}}: field is immutable"#,
            ],
        );
    }
}
