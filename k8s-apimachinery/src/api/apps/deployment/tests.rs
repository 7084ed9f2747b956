use super::*;
use crate::api::testing::{check_create, check_update, named};
use serde_json::{Value, json};

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
