use serde_json::{Value, json};

use super::*;
use crate::api::collect_update;
use crate::api::testing::named;

#[track_caller]
fn check_change(spec: Value, old: Value, new: Value, want: &[&str]) {
    let job = |status: Value| named(json!({"spec": spec, "status": status}));
    let faults = collect_update(&job(new), &job(old), check);
    let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(texts, want);
}

fn conditions(types: &[&str]) -> Value {
    let all = types
        .iter()
        .map(|type_| json!({"type": type_, "status": "True"}));
    all.collect()
}

fn complete() -> Value {
    json!({
        "conditions": conditions(&["SuccessCriteriaMet", "Complete"]),
        "startTime": "2030-01-01T00:00:00Z",
        "completionTime": "2030-01-01T00:01:00Z",
        "succeeded": 2,
    })
}

fn with(status: Value, field: &str, value: Value) -> Value {
    let mut status = status;
    status[field] = value;
    status
}

#[test]
fn a_job_ends_once_and_with_a_reason() {
    let start = json!({"startTime": "2030-01-01T00:00:00Z"});
    check_change(json!({}), start.clone(), complete(), &[]);
    check_change(
        json!({}),
        start.clone(),
        with(start.clone(), "conditions", conditions(&["Failed"])),
        &[
            "status.conditions: Invalid value: cannot set Failed=True condition without the FailureTarget=true condition",
        ],
    );
    check_change(
        json!({}),
        complete(),
        with(complete(), "conditions", json!([])),
        &[
            "status.completionTime: Invalid value: \"2030-01-01T00:01:00Z\": cannot set completionTime when there is no Complete=True condition",
            "status.conditions: Invalid value: cannot disable the terminal Complete=True condition",
            "status.conditions: Invalid value: cannot disable the SuccessCriteriaMet=True condition",
        ],
    );
}

#[test]
fn a_finished_job_has_no_pods() {
    check_change(
        json!({}),
        json!({}),
        with(
            with(complete(), "active", json!(1)),
            "terminating",
            json!(1),
        ),
        &[
            "status.active: Invalid value: 1: active>0 is invalid for finished job",
            "status.terminating: Invalid value: 1: terminating>0 is invalid for finished job",
        ],
    );
    // What was so before is not this update's fault.
    let before = with(complete(), "active", json!(1));
    check_change(
        json!({}),
        before.clone(),
        with(before, "failed", json!(1)),
        &[],
    );
}

#[test]
fn counters_grow_unless_the_job_can_shrink() {
    let counted = |number: i64| json!({"succeeded": number, "failed": 1});
    let elastic = json!({"completionMode": "Indexed", "completions": 2, "parallelism": 2});
    check_change(elastic, counted(4), counted(2), &[]);
    check_change(
        json!({"completionMode": "Indexed", "completions": 4, "parallelism": 2}),
        counted(4),
        counted(2),
        &["status.succeeded: Invalid value: 2: cannot decrease the succeeded counter"],
    );
    check_change(
        json!({}),
        counted(1),
        json!({"succeeded": 1}),
        &["status.failed: Invalid value: 0: cannot decrease the failed counter"],
    );
}

#[test]
fn indexes_are_checked_when_they_change() {
    let indexed = json!({"completionMode": "Indexed", "completions": 2, "parallelism": 2});
    let completed = |indexes: &str| json!({"completedIndexes": indexes});
    check_change(indexed.clone(), completed("0"), completed("0,1"), &[]);
    check_change(
        indexed.clone(),
        completed("0"),
        completed("0,2"),
        &[
            r#"status.completedIndexes: Invalid value: "0,2": error parsing completedIndexes: too large index: "2""#,
        ],
    );
    // The job was scaled down, and its controller hasn't seen it yet.
    let active = with(completed("0,2"), "active", json!(1));
    check_change(indexed, completed("0,2"), active, &[]);
    check_change(
        json!({}),
        json!({}),
        completed("0"),
        &[
            r#"status.completedIndexes: Invalid value: "0": cannot set non-empty completedIndexes when non-indexed completion mode"#,
        ],
    );
}

#[test]
fn the_start_is_forgotten_only_while_suspended() {
    let start = json!({"startTime": "2030-01-01T00:00:00Z"});
    check_change(json!({"suspend": true}), start.clone(), json!({}), &[]);
    check_change(
        json!({}),
        start,
        json!({}),
        &["status.startTime: Required value: startTime cannot be removed for unsuspended job"],
    );
}
