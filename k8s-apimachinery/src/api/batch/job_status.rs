//! What a job's status may say: conditions that exclude each other, counters that only grow.

use std::collections::HashSet;

use serde_json::Value;

use super::index;
use crate::api::Field;

/// Conditions that stay once they are true.
const FINAL: [&str; 3] = ["Failed", "Complete", "FailureTarget"];

/// Checks an update of the status.
pub(super) fn check(job: &Field, old_job: &Field) {
    let (status, old) = (job.get("status"), old_job.get("status"));
    for counter in ["active", "succeeded", "failed", "ready", "terminating"] {
        status.get(counter).must_not_be_negative();
    }
    check_uncounted(&status.get("uncountedTerminatedPods"));
    check_conditions(&status, job);
    check_finished(&status);
    check_indexes(&status, &job.get("spec"));
    if number(&status, "ready") > number(&status, "active") {
        status
            .get("ready")
            .invalid("cannot set more ready pods than active");
    }
    let conditions = status.get("conditions");
    for condition in FINAL {
        if has(&old, condition) && !has(&status, condition) {
            conditions.invalid_whole(format!(
                "cannot disable the terminal {condition}=True condition"
            ));
        }
    }
    for counter in ["failed", "succeeded"] {
        if number(&status, counter) < number(&old, counter) {
            let shown = number(&status, counter);
            status
                .get(counter)
                .invalid_value(shown, format!("cannot decrease the {counter} counter"));
        }
    }
    let (end, old_end) = (status.get("completionTime"), old.get("completionTime"));
    if end.is_set() && old_end.is_set() && !end.same_as(&old_end) {
        end.invalid("completionTime cannot be mutated");
    }
    let (start, old_start) = (status.get("startTime"), old.get("startTime"));
    let is_suspended = job.get("spec").get("suspend").is_true();
    if old_start.is_set() && !start.same_as(&old_start) && !is_suspended {
        start.required("startTime cannot be removed for unsuspended job");
    }
    if has(&old, "SuccessCriteriaMet") && !has(&status, "SuccessCriteriaMet") {
        conditions.invalid_whole("cannot disable the SuccessCriteriaMet=True condition");
    }
}

fn check_uncounted(pods: &Field) {
    let mut seen = HashSet::new();
    for list in ["succeeded", "failed"] {
        for uid in pods.get(list).items() {
            if uid.is_empty() {
                uid.invalid("must not be empty");
            } else if !seen.insert(uid.str()) {
                uid.duplicate();
            }
        }
    }
}

fn check_conditions(status: &Field, job: &Field) {
    let conditions = status.get("conditions");
    let has = |condition: &str| has(status, condition);
    for (one, other) in [
        ("Complete", "Failed"),
        ("Complete", "FailureTarget"),
        ("SuccessCriteriaMet", "Failed"),
        ("SuccessCriteriaMet", "FailureTarget"),
    ] {
        if has(one) && has(other) {
            conditions.invalid_whole(format!("cannot set {one}=True and {other}=true conditions"));
        }
    }
    if has("Failed") && !has("FailureTarget") {
        conditions.invalid_whole(
            "cannot set Failed=True condition without the FailureTarget=true condition",
        );
    }
    if has("Complete") && !has("SuccessCriteriaMet") {
        conditions.invalid_whole(
            "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
        );
        if job.get("spec").get("successPolicy").is_set() {
            conditions.invalid_whole("cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True");
        }
    }
}

fn check_finished(status: &Field) {
    let is_complete = has(status, "Complete");
    let is_finished = is_complete || has(status, "Failed");
    let (start, end) = (status.get("startTime"), status.get("completionTime"));
    match (end.is_set(), is_complete) {
        (true, false) => {
            end.invalid("cannot set completionTime when there is no Complete=True condition")
        }
        (false, true) => end.required("completionTime is required for Complete jobs"),
        _ => {}
    }
    // Times are stored in one form, so their text sorts as they do.
    if start.is_set() && end.is_set() && end.str() < start.str() {
        end.invalid("completionTime cannot be set before startTime");
    }
    if !is_finished {
        return;
    }
    for counter in ["active", "terminating"] {
        if number(status, counter) > 0 {
            status
                .get(counter)
                .invalid(format!("{counter}>0 is invalid for finished job"));
        }
    }
    if !start.is_set() {
        start.required("startTime is required for finished job");
    }
    let uncounted = status.get("uncountedTerminatedPods");
    if ["succeeded", "failed"]
        .iter()
        .any(|list| !uncounted.get(list).is_empty())
    {
        uncounted.invalid("uncountedTerminatedPods needs to be empty for finished job");
    }
}

fn check_indexes(status: &Field, spec: &Field) {
    let (completed, failed) = (status.get("completedIndexes"), status.get("failedIndexes"));
    if !completed.is_empty() && spec.get("completionMode").str() != "Indexed" {
        completed.invalid("cannot set non-empty completedIndexes when non-indexed completion mode");
    }
    if failed.is_set() && !spec.get("backoffLimitPerIndex").is_set() {
        failed.invalid("cannot set non-null failedIndexes when backoffLimitPerIndex is null");
    }
    let Some(completions) = spec.get("completions").int() else {
        return;
    };
    for (indexes, name) in [(&completed, "completedIndexes"), (&failed, "failedIndexes")] {
        if let Err(why) = index::count(indexes.str(), completions) {
            indexes.invalid(format!("error parsing {name}: {why}"));
        }
    }
    if let Some(index) = index::common(completed.str(), failed.str()) {
        failed.invalid(format!(
            "failedIndexes and completedIndexes overlap at index: {index}"
        ));
    }
}

fn has(status: &Field, condition: &str) -> bool {
    let conditions = status.get("conditions").value().and_then(Value::as_array);
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|each| each["type"] == condition && each["status"] == "True")
}

fn number(status: &Field, counter: &str) -> i64 {
    status.get(counter).int().unwrap_or(0)
}
