//! What a job's status may say: conditions that exclude each other, counters that only grow.
//!
//! Most rules are about what an update changes: what was wrong before may stay, until the controller mends it.

use std::collections::HashSet;

use serde_json::Value;

use super::index;
use crate::api::Field;

/// Conditions that stay once they are true.
const FINAL: [&str; 3] = ["Failed", "Complete", "FailureTarget"];

/// Checks an update of the status.
pub(super) fn check(job: &Field, old_job: &Field) {
    let (spec, status, old) = (job.get("spec"), job.get("status"), old_job.get("status"));
    for counter in ["active", "succeeded", "failed", "ready", "terminating"] {
        status.get(counter).must_not_be_negative();
    }
    check_uncounted(&status.get("uncountedTerminatedPods"));
    check_outcome(&status, &old);
    check_times(&status, &old);
    check_reasons(&status, &old);
    check_finished(&status, &old);
    check_indexes(&status, &old, &spec);
    check_running(&status, &old);
    check_success(&status, &spec);
    check_update(&spec, &status, &old);
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

/// A job can't have ended well and badly.
fn check_outcome(status: &Field, old: &Field) {
    for bad in ["Failed", "FailureTarget"] {
        let is_told_now = is_turned(status, old, "Complete") || is_turned(status, old, bad);
        if is_told_now && has(status, "Complete") && has(status, bad) {
            status.get("conditions").invalid_whole(format!(
                "cannot set Complete=True and {bad}=true conditions"
            ));
        }
    }
}

fn check_times(status: &Field, old: &Field) {
    let (start, end) = (status.get("startTime"), status.get("completionTime"));
    let is_complete = has(status, "Complete");
    let is_end_told = is_changed(status, old, "completionTime");
    if is_turned(status, old, "Complete") || is_end_told {
        match (end.is_set(), is_complete) {
            (true, false) => {
                end.invalid("cannot set completionTime when there is no Complete=True condition")
            }
            (false, true) => end.required("completionTime is required for Complete jobs"),
            _ => {}
        }
    }
    // Times are stored in one form, so their text sorts as they do.
    let is_reversed = start.is_set() && end.is_set() && end.str() < start.str();
    if is_reversed && (is_end_told || is_changed(status, old, "startTime")) {
        end.invalid("completionTime cannot be set before startTime");
    }
}

/// What made a job end is told before that it ended.
fn check_reasons(status: &Field, old: &Field) {
    let conditions = status.get("conditions");
    let is_told = is_turned(status, old, "Failed") || is_changed(status, old, "failedIndexes");
    if is_told && has(status, "Failed") && !has(status, "FailureTarget") {
        conditions.invalid_whole(
            "cannot set Failed=True condition without the FailureTarget=true condition",
        );
    }
    let is_told =
        is_turned(status, old, "Complete") || is_turned(status, old, "SuccessCriteriaMet");
    if is_told && has(status, "Complete") && !has(status, "SuccessCriteriaMet") {
        conditions.invalid_whole(
            "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
        );
    }
}

fn check_finished(status: &Field, old: &Field) {
    let is_told =
        |field| is_finished(status) && (!is_finished(old) || is_changed(status, old, field));
    if is_told("active") && number(status, "active") > 0 {
        let active = status.get("active");
        active.invalid("active>0 is invalid for finished job");
    }
    let start = status.get("startTime");
    if is_told("startTime") && !start.is_set() {
        start.required("startTime is required for finished job");
    }
    let uncounted = status.get("uncountedTerminatedPods");
    let mut lists = ["succeeded", "failed"].into_iter();
    if is_told("uncountedTerminatedPods") && lists.any(|list| !uncounted.get(list).is_empty()) {
        uncounted.invalid("uncountedTerminatedPods needs to be empty for finished job");
    }
}

fn check_indexes(status: &Field, old: &Field, spec: &Field) {
    let (completed, failed) = (status.get("completedIndexes"), status.get("failedIndexes"));
    let [completed_told, failed_told] =
        ["completedIndexes", "failedIndexes"].map(|field| is_changed(status, old, field));
    let completions = spec.get("completions").int();
    let counts_failures = spec.get("backoffLimitPerIndex").is_set();
    for (indexes, name, is_told) in [
        (&completed, "completedIndexes", completed_told),
        (&failed, "failedIndexes", failed_told && counts_failures),
    ] {
        if let Some(completions) = completions.filter(|_| is_told)
            && let Err(why) = index::count(indexes.str(), completions)
        {
            indexes.invalid(format!("error parsing {name}: {why}"));
        }
    }
    if completed_told && !completed.is_empty() && spec.get("completionMode").str() != "Indexed" {
        completed.invalid("cannot set non-empty completedIndexes when non-indexed completion mode");
    }
    if failed_told && failed.is_set() && !counts_failures {
        failed.invalid("cannot set non-null failedIndexes when backoffLimitPerIndex is null");
    }
    let is_told = completed_told || failed_told;
    if completions.is_some()
        && is_told
        && let Some(index) = index::common(completed.str(), failed.str())
    {
        failed.invalid(format!(
            "failedIndexes and completedIndexes overlap at index: {index}"
        ));
    }
}

fn check_running(status: &Field, old: &Field) {
    let terminating = status.get("terminating");
    let is_told = !is_finished(old) || is_changed(status, old, "terminating");
    if is_finished(status) && is_told && number(status, "terminating") > 0 {
        terminating.invalid("terminating>0 is invalid for finished job");
    }
    let is_told = is_changed(status, old, "ready") || is_changed(status, old, "active");
    if is_told && number(status, "ready") > number(status, "active") {
        let ready = status.get("ready");
        ready.invalid("cannot set more ready pods than active");
    }
}

fn check_success(status: &Field, spec: &Field) {
    let conditions = status.get("conditions");
    for bad in ["Failed", "FailureTarget"] {
        if has(status, "SuccessCriteriaMet") && has(status, bad) {
            conditions.invalid_whole(format!(
                "cannot set SuccessCriteriaMet=True and {bad}=true conditions"
            ));
        }
    }
    let is_unfounded = has(status, "Complete") && !has(status, "SuccessCriteriaMet");
    if spec.get("successPolicy").is_set() && is_unfounded {
        conditions.invalid_whole(
            "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True",
        );
    }
}

fn check_update(spec: &Field, status: &Field, old: &Field) {
    let conditions = status.get("conditions");
    for condition in FINAL {
        if has(old, condition) && !has(status, condition) {
            conditions.invalid_whole(format!(
                "cannot disable the terminal {condition}=True condition"
            ));
        }
    }
    // An indexed job with as many completions as pods at a time can be scaled down.
    let is_elastic = spec.get("completionMode").str() == "Indexed"
        && spec.get("completions").same_as(&spec.get("parallelism"));
    let growing: &[&str] = match is_elastic {
        true => &["failed"],
        false => &["failed", "succeeded"],
    };
    for counter in growing {
        let now = number(status, counter);
        if now < number(old, counter) {
            let field = status.get(counter);
            field.invalid_value(now, format!("cannot decrease the {counter} counter"));
        }
    }
    let (end, old_end) = (status.get("completionTime"), old.get("completionTime"));
    if end.is_set() && old_end.is_set() && !end.same_as(&old_end) {
        end.invalid("completionTime cannot be mutated");
    }
    let (start, old_start) = (status.get("startTime"), old.get("startTime"));
    if old_start.is_set() && !start.same_as(&old_start) && !spec.get("suspend").is_true() {
        start.required("startTime cannot be removed for unsuspended job");
    }
    match (
        has(old, "SuccessCriteriaMet"),
        has(status, "SuccessCriteriaMet"),
    ) {
        (true, false) => {
            conditions.invalid_whole("cannot disable the SuccessCriteriaMet=True condition")
        }
        (false, true) if has(old, "Complete") => conditions.invalid_whole(
            "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions",
        ),
        _ => {}
    }
}

fn is_changed(status: &Field, old: &Field, field: &str) -> bool {
    !status.get(field).same_as(&old.get(field))
}

fn is_turned(status: &Field, old: &Field, condition: &str) -> bool {
    has(status, condition) != has(old, condition)
}

fn is_finished(status: &Field) -> bool {
    has(status, "Complete") || has(status, "Failed")
}

fn has(status: &Field, condition: &str) -> bool {
    let conditions = status.get("conditions").value().and_then(Value::as_array);
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|each| each["type"] == condition && each["status"] == "True")
}

fn number(status: &Field, counter: &str) -> i64 {
    status.get(counter).int().unwrap_or(0)
}

#[cfg(test)]
mod tests;
