use serde_json::{Value, json};

use super::*;
use crate::api::testing::{check_create, check_update, named};

fn job(fields: Value) -> Object {
    let pod = json!({"restartPolicy": "Never", "containers": [{"name": "a", "image": "x"}]});
    let mut spec = json!({"template": {"spec": pod}});
    for (key, value) in fields.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    let mut job = named(json!({"spec": spec}));
    job.set(&["metadata", "uid"], "u".into());
    generate_selector(&mut job);
    job
}

#[test]
fn a_generated_selector_fits_its_job() {
    check_create(&Job, job(json!({})), &[]);
    let mut foreign = job(json!({}));
    foreign.set(&["metadata", "uid"], "v".into());
    check_create(
        &Job,
        foreign,
        &[
            r#"spec.template.metadata.labels[controller-uid]: Invalid value: "u": must be 'v'"#,
            r#"spec.template.metadata.labels[batch.kubernetes.io/controller-uid]: Invalid value: "u": must be 'v'"#,
            r#"spec.selector: Invalid value: {"matchLabels":{"batch.kubernetes.io/controller-uid":"u"}}: `selector` not auto-generated"#,
        ],
    );
}

#[test]
fn a_job_without_a_selector_is_right_until_it_meets_a_server() {
    let mut offline = job(json!({}));
    offline.remove(&["metadata", "uid"]);
    offline.remove(&["spec", "selector"]);
    check_create(&Job, offline, &[]);
}

#[test]
fn pods_of_a_job_are_not_restarted_for_ever() {
    let mut lasting = job(json!({}));
    lasting.set(
        &["spec", "template", "spec", "restartPolicy"],
        "Always".into(),
    );
    check_create(
        &Job,
        lasting,
        &[
            r#"spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never""#,
        ],
    );
}

#[test]
fn completions_of_an_indexed_job_follow_its_parallelism() {
    let indexed = |completions: i64, parallelism: i64| {
        job(
            json!({"completionMode": "Indexed", "completions": completions, "parallelism": parallelism}),
        )
    };
    check_update(&Job, indexed(2, 2), indexed(3, 3), &[]);
    check_update(
        &Job,
        indexed(2, 2),
        indexed(3, 2),
        &[
            "spec.completions: Invalid value: 3: can only be modified in tandem with spec.parallelism",
        ],
    );
}

#[test]
fn only_a_suspended_job_is_told_anew_where_to_run() {
    let with = |suspend: bool, selector: Value| {
        let mut job = job(json!({"suspend": suspend}));
        job.set(&["spec", "template", "spec", "nodeSelector"], selector);
        job
    };
    check_update(
        &Job,
        with(true, json!({"a": "b"})),
        with(true, json!({"a": "c"})),
        &[],
    );
    let mut faults = Vec::new();
    let (mut old, mut new) = (
        with(false, json!({"a": "b"})),
        with(false, json!({"a": "c"})),
    );
    Job.default(&mut old);
    Job.default(&mut new);
    faults.extend(
        Job.validate_update(&new, &old)
            .into_iter()
            .map(|fault| fault.field),
    );
    assert_eq!(faults, ["spec.template"]);
}
