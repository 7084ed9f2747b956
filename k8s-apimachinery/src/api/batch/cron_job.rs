//! CronJob: jobs at set times.

use super::{job_spec, schedule};
use crate::api::{Edit, Field, NameRule, Rules};
use crate::object::Object;

/// Rules of `batch/v1` `CronJob`.
pub struct CronJob;

/// Jobs get a suffix of 11 characters, and their names are labels of pods.
const MAX_NAME: usize = 52;

impl Rules for CronJob {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn default(&self, object: &mut Object) {
        let spec = object.as_map_mut().ensure("spec");
        spec.fill("concurrencyPolicy", "Allow");
        spec.fill("suspend", false);
        spec.fill("successfulJobsHistoryLimit", 3);
        spec.fill("failedJobsHistoryLimit", 1);
        job_spec::default(spec.ensure("jobTemplate").ensure("spec"));
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        check_schedule(&spec);
        spec.get("startingDeadlineSeconds").must_not_be_negative();
        spec.get("concurrencyPolicy")
            .must_be_one_of(&["Allow", "Forbid", "Replace"]);
        let template = spec.get("jobTemplate");
        let job = template.get("spec");
        job_spec::check(&job);
        let (selector, manual) = (job.get("selector"), job.get("manualSelector"));
        if selector.is_set() {
            selector.invalid("`selector` will be auto-generated");
        }
        if manual.is_true() {
            manual.unsupported(&["nil", "false"]);
        }
        spec.get("successfulJobsHistoryLimit")
            .must_not_be_negative();
        spec.get("failedJobsHistoryLimit").must_not_be_negative();
    }

    fn check_create(&self, object: &Field) {
        let metadata = object.get("metadata");
        let name = metadata.get("name");
        if name.str().len() > MAX_NAME {
            name.invalid("must be no more than 52 characters");
        }
        check_no_zone(&object.get("spec").get("schedule"));
    }

    /// A zone in the schedule stays where it was allowed once, but not beside the field for it.
    fn check_update(&self, new: &Field, old: &Field) {
        let (spec, old) = (new.get("spec"), old.get("spec"));
        let schedule = spec.get("schedule");
        if !names_zone(&old.get("schedule")) {
            check_no_zone(&schedule);
        } else if names_zone(&schedule) && spec.get("timeZone").is_set() {
            schedule.invalid("cannot use both timeZone field and TZ or CRON_TZ in schedule");
        }
    }
}

fn names_zone(schedule: &Field) -> bool {
    schedule.str().contains("TZ")
}

fn check_no_zone(schedule: &Field) {
    if names_zone(schedule) {
        schedule.invalid("cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
    }
}

fn check_schedule(spec: &Field) {
    let (times, zone) = (spec.get("schedule"), spec.get("timeZone"));
    if times.must_be_set()
        && let Err(why) = schedule::check(times.str())
    {
        times.invalid(why);
    }
    if !zone.is_set() {
        return;
    }
    if zone.is_empty() {
        return zone.invalid("timeZone must be nil or non-empty string");
    }
    let unknown = || zone.invalid(format!("unknown time zone {}", zone.str()));
    if !zone.str().split('/').all(is_part_of_zone) {
        // Which zones there are is for those to know who have the data; here is only what can't be one.
        return unknown();
    }
    if zone.str().eq_ignore_ascii_case("Local") {
        zone.invalid(
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
        );
        if zone.str() != "Local" {
            unknown();
        }
    }
}

/// Zones are named like files, in directories.
fn is_part_of_zone(part: &str) -> bool {
    let is_allowed = |c: u8| c.is_ascii_alphanumeric() || b"._+-".contains(&c);
    !matches!(part, "." | "..")
        && !part.starts_with('-')
        && (1..=14).contains(&part.len())
        && part.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_update, named};
    use serde_json::{Value, json};

    fn cron_job(fields: Value) -> Object {
        let mut spec = json!({
            "schedule": "@daily",
            "jobTemplate": {"spec": {"template": {"spec": {
                "restartPolicy": "Never", "containers": [{"name": "a", "image": "x"}],
            }}}},
        });
        for (field, value) in fields.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        named(json!({"spec": spec}))
    }

    #[test]
    fn zones_are_named_beside_the_schedule() {
        const INSIDE: &str = r#"spec.schedule: Invalid value: "TZ=UTC @daily": cannot use TZ or CRON_TZ in schedule, use timeZone field instead"#;
        let inside = || cron_job(json!({"schedule": "TZ=UTC @daily"}));
        let beside = || cron_job(json!({"timeZone": "Etc/UTC"}));
        let both = || cron_job(json!({"schedule": "TZ=UTC @daily", "timeZone": "Etc/UTC"}));
        check_create(&CronJob, beside(), &[]);
        check_create(&CronJob, inside(), &[INSIDE]);
        check_update(&CronJob, inside(), inside(), &[]);
        check_update(&CronJob, inside(), beside(), &[]);
        check_update(&CronJob, beside(), both(), &[INSIDE]);
        check_update(
            &CronJob,
            inside(),
            both(),
            &[
                r#"spec.schedule: Invalid value: "TZ=UTC @daily": cannot use both timeZone field and TZ or CRON_TZ in schedule"#,
            ],
        );
    }

    #[test]
    fn zones_are_paths_of_short_names() {
        let zone = |zone: &str| cron_job(json!({"timeZone": zone}));
        for good in ["UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+1"] {
            check_create(&CronJob, zone(good), &[]);
        }
        for bad in ["../UTC", "-1", "a b", "Europe/", "Antarctica_and_more"] {
            let want = format!("spec.timeZone: Invalid value: {bad:?}: unknown time zone {bad}");
            check_create(&CronJob, zone(bad), &[&want]);
        }
        let explicit =
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        check_create(
            &CronJob,
            zone("Local"),
            &[&format!(
                r#"spec.timeZone: Invalid value: "Local": {explicit}"#
            )],
        );
    }
}
