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
    let labels = r#"{"batch.kubernetes.io/controller-uid":"u","batch.kubernetes.io/job-name":"x","controller-uid":"u","job-name":"x"}"#;
    let label =
        |key| format!("spec.template.metadata.labels[{key}]: Invalid value: {labels}: must be 'v'");
    check_create(
        &Job,
        foreign,
        &[
            &label("controller-uid"),
            &label("batch.kubernetes.io/controller-uid"),
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

#[test]
fn pods_of_an_indexed_job_have_hostnames() {
    let named = |name: &str| {
        let mut job = job(json!({"completionMode": "Indexed", "completions": 11}));
        job.set(&["metadata", "name"], name.into());
        generate_selector(&mut job);
        job
    };
    check_create(&Job, named(&"a".repeat(60)), &[]);
    let name = "a".repeat(61);
    check_create(
        &Job,
        named(&name),
        &[&format!(
            r#"metadata.name: Invalid value: "{name}": will not able to create pod with invalid DNS label: {name}-10"#
        )],
    );
}
