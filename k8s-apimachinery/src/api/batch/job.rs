//! Job: pods that run to their end.

use serde_json::json;

use super::{job_spec, job_status};
use crate::api::apps::check_chosen;
use crate::api::selector::check_label_selector;
use crate::api::{Edit, Field, NameRule, Rules};
use crate::name;
use crate::object::Object;

/// Rules of `batch/v1` `Job`.
pub struct Job;

/// The label by which a job's pods are chosen, unless the writer chooses.
const CONTROLLER_UID: &str = "batch.kubernetes.io/controller-uid";
/// What an update must leave alone, beside what has rules of its own.
const FIXED: [&str; 6] = [
    "selector",
    "completionMode",
    "podFailurePolicy",
    "backoffLimitPerIndex",
    "managedBy",
    "successPolicy",
];

impl Rules for Job {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn default(&self, object: &mut Object) {
        let labels = object
            .get(&["spec", "template", "metadata", "labels"])
            .cloned();
        let own = object
            .get(&["metadata", "labels"])
            .and_then(|map| map.as_object());
        if let Some(labels) = labels
            && own.is_none_or(|map| map.is_empty())
        {
            object.set(&["metadata", "labels"], labels);
        }
        let spec = object.as_map_mut().ensure("spec");
        if !spec.contains_key("completions") && !spec.contains_key("parallelism") {
            spec.fill("completions", 1);
        }
        spec.fill("parallelism", 1);
        let retries = if spec.contains_key("backoffLimitPerIndex") {
            i32::MAX
        } else {
            6
        };
        spec.fill("backoffLimit", retries);
        spec.fill("completionMode", "NonIndexed");
        spec.fill("suspend", false);
        spec.fill("manualSelector", false);
        let replacement = if spec.contains_key("podFailurePolicy") {
            "Failed"
        } else {
            "TerminatingOrFailed"
        };
        spec.fill("podReplacementPolicy", replacement);
        job_spec::default(spec);
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        job_spec::check(&spec);
        let selector = spec.get("selector");
        let metadata = object.get("metadata");
        let is_manual = spec.get("manualSelector").is_true();
        // An object that hasn't met a server yet gets its selector there.
        if !selector.is_set() && !is_manual && metadata.get("uid").is_empty() {
            return;
        }
        if !selector.must_be_there() || check_label_selector(&selector) {
            check_chosen(&spec);
        }
    }

    fn check_create(&self, object: &Field) {
        check_hostnames(object);
        let (metadata, spec) = (object.get("metadata"), object.get("spec"));
        let selector = spec.get("selector");
        if spec.get("manualSelector").is_true() || !selector.is_set() {
            return;
        }
        let uid = metadata.get("uid");
        if !uid.must_be_set() {
            return;
        }
        let template = spec.get("template");
        let template_metadata = template.get("metadata");
        let labels = template_metadata.get("labels");
        let expected = generated_labels(metadata.get("name").str(), uid.str());
        for (key, value) in expected {
            let label = labels.key(key);
            if !label.is_set() {
                template_metadata
                    .get("labels")
                    .key(key)
                    .required(format!("must be '{value}'"));
            } else if label.str() != value {
                // Kubernetes shows all labels here.
                label.holding(&labels).invalid(format!("must be '{value}'"));
            }
        }
        let match_labels = selector.get("matchLabels");
        let fits = |(key, value): (&str, Field)| expected.contains(&(key, value.str()));
        if !match_labels.entries().all(fits) {
            selector.invalid("`selector` not auto-generated");
        }
    }

    fn check_update(&self, new: &Field, old: &Field) {
        let (spec, old_spec, old_status) = (new.get("spec"), old.get("spec"), old.get("status"));
        for field in FIXED {
            spec.get(field).must_not_change(&old_spec.get(field));
        }
        check_completions(&spec, &old_spec);
        let is_open = old_spec.get("suspend").is_true() && !old_status.get("startTime").is_set();
        if !job_spec::is_template_kept(&spec.get("template"), &old_spec.get("template"), is_open) {
            spec.get("template").invalid(crate::api::IMMUTABLE);
        }
    }

    fn check_status(&self, new: &Field, old: &Field) {
        job_status::check(new, old);
    }
}

/// The pods of an indexed job are called like it, with their index behind, and that is their hostname.
fn check_hostnames(job: &Field) {
    let (metadata, spec) = (job.get("metadata"), job.get("spec"));
    let (name, completions) = (metadata.get("name"), spec.get("completions").int());
    let Some(last) = completions
        .filter(|count| *count > 0)
        .map(|count| count - 1)
    else {
        return;
    };
    let longest = format!("{}-{last}", name.str());
    if spec.get("completionMode").str() == "Indexed" && !name::dns1123_label(&longest).is_empty() {
        name.invalid(format!(
            "will not able to create pod with invalid DNS label: {longest}"
        ));
    }
}

/// Gives the job the selector and the template labels that tell its pods from all others, unless its writer chose.
/// The object must have its name and uid.
pub fn generate_selector(job: &mut Object) {
    if job.get(&["spec", "manualSelector"]) == Some(&true.into()) {
        return;
    }
    let (name, uid) = (job.name().to_owned(), job.uid().to_owned());
    for (key, value) in generated_labels(&name, &uid) {
        job.set(
            &["spec", "template", "metadata", "labels", key],
            value.into(),
        );
    }
    if job.get(&["spec", "selector"]).is_none() {
        job.set(
            &["spec", "selector"],
            json!({"matchLabels": {CONTROLLER_UID: uid}}),
        );
    }
}

fn generated_labels<'a>(name: &'a str, uid: &'a str) -> [(&'static str, &'a str); 4] {
    [
        ("controller-uid", uid),
        ("job-name", name),
        (CONTROLLER_UID, uid),
        ("batch.kubernetes.io/job-name", name),
    ]
}

/// The number of completions of an indexed job changes together with its parallelism only.
fn check_completions(spec: &Field, old: &Field) {
    let (completions, parallelism) = (spec.get("completions"), spec.get("parallelism"));
    if completions.same_as(&old.get("completions")) {
        return;
    }
    let is_elastic = spec.get("completionMode").str() == "Indexed"
        && completions.is_set()
        && old.get("completions").is_set();
    if !is_elastic {
        completions.must_not_change(&old.get("completions"));
    } else if !completions.same_as(&parallelism) {
        completions.invalid(format!(
            "can only be modified in tandem with {}",
            parallelism.path()
        ));
    }
}

#[cfg(test)]
mod tests;
