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
        spec.get("successfulJobsHistoryLimit")
            .must_not_be_negative();
        spec.get("failedJobsHistoryLimit").must_not_be_negative();
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
    }

    fn check_create(&self, object: &Field) {
        let metadata = object.get("metadata");
        let name = metadata.get("name");
        if name.str().len() > MAX_NAME {
            name.invalid("must be no more than 52 characters");
        }
        let spec = object.get("spec");
        let schedule = spec.get("schedule");
        if schedule.str().contains("TZ") && !spec.get("timeZone").is_set() {
            schedule.invalid("cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
        }
    }
}

fn check_schedule(spec: &Field) {
    let (times, zone) = (spec.get("schedule"), spec.get("timeZone"));
    if times.must_be_set() {
        if let Err(why) = schedule::check(times.str()) {
            times.invalid(why);
        }
        if times.str().contains("TZ") && zone.is_set() {
            times.invalid("cannot use both timeZone field and TZ or CRON_TZ in schedule");
        }
    }
    if !zone.is_set() {
        return;
    }
    if zone.is_empty() {
        zone.invalid("timeZone must be nil or non-empty string");
    } else if zone.str().eq_ignore_ascii_case("Local") {
        zone.invalid(
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
        );
    } else if !zone
        .str()
        .bytes()
        .all(|c| c.is_ascii_alphanumeric() || b"/_+-".contains(&c))
    {
        // Which zones there are is for those to know who have the data; here is only what can't be one.
        zone.invalid(format!("unknown time zone {}", zone.str()));
    }
}
