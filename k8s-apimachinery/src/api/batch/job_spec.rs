//! A job's spec, in a job or in the template of a cron job.

use serde_json::{Map, Value};

use super::{failure_policy, success_policy};
use crate::api::core::pod_template;
use crate::api::{Edit, Field};

const MAX_INDEXED_PARALLELISM: i64 = 100_000;
const MAX_INDEXED_FAILURES: i64 = 100_000;
/// Above so many completions, a backoff limit per index costs more.
const MANY_COMPLETIONS: i64 = 100_000;
const PARALLELISM_OF_MANY: i64 = 10_000;
const FAILURES_OF_MANY: i64 = 10_000;
const MAX_MANAGED_BY: usize = 63;
/// What the scheduler of a suspended job's pods may be told anew.
const SCHEDULING: [&str; 3] = ["nodeSelector", "tolerations", "schedulingGates"];

/// Fills in what jobs and templates of jobs have alike.
pub(super) fn default(spec: &mut Map<String, Value>) {
    if let Some(policy) = spec.object("podFailurePolicy") {
        for rule in policy.objects("rules") {
            for pattern in rule.objects("onPodConditions") {
                pattern.fill("status", "True");
            }
        }
    }
    pod_template::default(spec.ensure("template"));
}

/// Checks a spec, apart from the selector.
pub(super) fn check(spec: &Field) {
    for number in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ] {
        spec.get(number).must_not_be_negative();
    }
    if spec.get("maxFailedIndexes").is_set() && !spec.get("backoffLimitPerIndex").is_set() {
        spec.get("backoffLimitPerIndex")
            .required("when maxFailedIndexes is specified");
    }
    let managed_by = spec.get("managedBy");
    if managed_by.is_set() {
        managed_by.must_be_domain_path();
        if managed_by.str().len() > MAX_MANAGED_BY {
            managed_by.too_long(MAX_MANAGED_BY);
        }
    }
    let mode = spec.get("completionMode");
    mode.may_be_one_of(&["NonIndexed", "Indexed"]);
    let only_indexed = |name: &str| {
        let field = spec.get(name);
        if field.is_set() {
            field.invalid("requires indexed completion mode");
        }
    };
    match mode.str() {
        "Indexed" => check_indexed(spec),
        "" | "NonIndexed" => ["backoffLimitPerIndex", "maxFailedIndexes"]
            .into_iter()
            .for_each(only_indexed),
        _ => {}
    }
    failure_policy::check(spec);
    match mode.str() {
        "Indexed" => success_policy::check(spec),
        _ => only_indexed("successPolicy"),
    }
    let replacement = spec.get("podReplacementPolicy");
    match spec.get("podFailurePolicy").is_set() {
        true => replacement.may_be_one_of(&["Failed"]),
        false => replacement.may_be_one_of(&["Failed", "TerminatingOrFailed"]),
    }
    pod_template::check(&spec.get("template"));
    check_restarts(spec);
}

fn check_indexed(spec: &Field) {
    let [completions, parallelism, failures] =
        ["completions", "parallelism", "maxFailedIndexes"].map(|field| spec.get(field));
    let at_most = |field: &Field, max: i64, why: String| {
        if field.int().is_some_and(|number| number > max) {
            field.invalid(why);
        }
    };
    if !completions.is_set() {
        completions.required("when completion mode is Indexed");
    }
    let limit = format!(
        "must be less than or equal to {MAX_INDEXED_PARALLELISM} when completion mode is Indexed"
    );
    at_most(&parallelism, MAX_INDEXED_PARALLELISM, limit);
    let total = completions.int().unwrap_or(i64::MAX);
    at_most(
        &failures,
        total,
        "must be less than or equal to completions".to_owned(),
    );
    let limit = format!("must be less than or equal to {MAX_INDEXED_FAILURES}");
    at_most(&failures, MAX_INDEXED_FAILURES, limit);
    if completions.int().unwrap_or(0) <= MANY_COMPLETIONS
        || !spec.get("backoffLimitPerIndex").is_set()
    {
        return;
    }
    if !failures.is_set() {
        failures.required(format!(
            "must be specified when completions is above {MANY_COMPLETIONS}"
        ));
    }
    for (field, max) in [
        (&parallelism, PARALLELISM_OF_MANY),
        (&failures, FAILURES_OF_MANY),
    ] {
        at_most(
            field,
            max,
            format!(
                "must be less than or equal to {max} when completions are above {MANY_COMPLETIONS} and used with backoff limit per index"
            ),
        );
    }
}

/// Pods that end must not be started again for ever.
fn check_restarts(spec: &Field) {
    let template = spec.get("template");
    let pod = template.get("spec");
    let policy = pod.get("restartPolicy");
    match policy.str() {
        "" | "Always" => policy.required("valid values: \"OnFailure\", \"Never\""),
        "Never" => {}
        "OnFailure" if spec.get("podFailurePolicy").is_set() => {
            policy.invalid("only \"Never\" is supported when podFailurePolicy is specified");
        }
        "OnFailure" => {}
        _ => policy.unsupported(&["OnFailure", "Never"]),
    }
}

/// Whether an update leaves the template as it is. While a job that never started is suspended, where its pods run and
/// what they request may be told anew.
pub(super) fn is_template_kept(new: &Field, old: &Field, is_open: bool) -> bool {
    if !is_open || new.same_as(old) {
        return new.same_as(old);
    }
    let (spec, old_spec) = (new.get("spec"), old.get("spec"));
    all_same(
        &spec,
        &old_spec,
        &[
            &SCHEDULING[..],
            &["affinity", "containers", "initContainers"],
        ]
        .concat(),
    ) && all_same(
        &new.get("metadata"),
        &old.get("metadata"),
        &["labels", "annotations"],
    ) && all_same(
        &spec.get("affinity"),
        &old_spec.get("affinity"),
        &["nodeAffinity"],
    ) && ["containers", "initContainers"].iter().all(|list| {
        let (list, old_list) = (spec.get(list), old_spec.get(list));
        let mut pairs = list.items().zip(old_list.items());
        list.len() == old_list.len() && pairs.all(|(new, old)| all_same(&new, &old, &["resources"]))
    })
}

fn all_same(new: &Field, old: &Field, free: &[&str]) -> bool {
    let mut names = new
        .names()
        .chain(old.names())
        .filter(|name| !free.contains(name));
    names.all(|name| new.get(name).same_as(&old.get(name)))
}
