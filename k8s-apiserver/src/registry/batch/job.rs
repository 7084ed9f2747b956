//! Job.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    api::batch::job,
    table::{ColumnDefinition, age_of, human_duration},
};
use serde_json::json;

use crate::registry::{KindRow, Strategy, SubresourceRow, WriteContext, cell};

/// Strategy of `batch/v1` `Job`.
pub(crate) struct Job;

static COLUMNS: [ColumnDefinition; 8] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Status", "Whether it runs, or how it ended."),
    ColumnDefinition::text("Completions", "Pods that succeeded, out of those wanted."),
    ColumnDefinition::text("Duration", "How long it took, or has taken."),
    ColumnDefinition::AGE,
    ColumnDefinition::text("Containers", "Names of the template's containers.").wide(),
    ColumnDefinition::text("Images", "Images of the template's containers.").wide(),
    ColumnDefinition::text("Selector", "Labels of the pods that belong to it.").wide(),
];

impl Strategy for Job {
    fn kind(&self) -> KindRow {
        KindRow::new("batch", "v1", "Job", "jobs")
            .categories(&["all"])
            .with_generation()
            .subresource(SubresourceRow::status())
    }

    fn prepare_create(&self, object: &mut Object, _ctx: &WriteContext<'_>) {
        object.set(&["status"], json!({}));
        job::generate_selector(object);
    }

    fn selectable(&self) -> &'static [&'static str] {
        &["status.successful"]
    }

    fn fields(&self, object: &Object) -> Vec<(&'static str, String)> {
        let succeeded = cell::number(object, &["status", "succeeded"]);
        vec![("status.successful", succeeded.to_string())]
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        vec![
            object.name().into(),
            state(object).into(),
            completions(object).into(),
            duration(object, now).into(),
            age_of(object, now).into(),
            cell::of_containers(object, "name"),
            cell::of_containers(object, "image"),
            cell::selector(object, &["spec", "selector"]),
        ]
    }
}

/// How far it is, by the condition that says most.
fn state(job: &Object) -> &'static str {
    let conditions = cell::items(job, &["status", "conditions"]);
    let has = |type_: &str| {
        conditions
            .iter()
            .any(|each| each["type"] == type_ && each["status"] == "True")
    };
    match () {
        () if has("Complete") => "Complete",
        () if has("Failed") => "Failed",
        () if job.deletion_timestamp().is_some() => "Terminating",
        () if has("Suspended") => "Suspended",
        () if has("FailureTarget") => "FailureTarget",
        () if has("SuccessCriteriaMet") => "SuccessCriteriaMet",
        () => "Running",
    }
}

fn completions(job: &Object) -> String {
    let succeeded = cell::number(job, &["status", "succeeded"]);
    let parallelism = cell::number(job, &["spec", "parallelism"]);
    match job.get(&["spec", "completions"]).and_then(Value::as_i64) {
        Some(wanted) => format!("{succeeded}/{wanted}"),
        None if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        None => format!("{succeeded}/1"),
    }
}

fn duration(job: &Object, now: Timestamp) -> String {
    let time = |field| job.str(&["status", field])?.parse::<Timestamp>().ok();
    time("startTime").map_or_else(String::new, |start| {
        let end = time("completionTime").unwrap_or(now);
        human_duration(end.duration_since(start).as_secs())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_job_shows_how_long_it_has_taken() {
        let job = Object::from_value(json!({
            "metadata": {"name": "j"},
            "spec": {"parallelism": 2, "template": {"spec": {"containers": [{"name": "a", "image": "x"}]}}},
            "status": {"succeeded": 1, "startTime": "2026-01-01T00:00:00Z"},
        }))
        .expect("an object");
        let now = "2026-01-01T00:01:30Z".parse().expect("a timestamp");
        assert_eq!(
            Value::from(Job.row(&job, now)),
            json!([
                "j",
                "Running",
                "1/1 of 2",
                "90s",
                "<unknown>",
                "a",
                "x",
                "<none>"
            ]),
        );
    }
}
