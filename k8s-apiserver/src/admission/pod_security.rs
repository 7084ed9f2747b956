//! Pods are held to the standards that the labels of their namespace name.

use async_trait::async_trait;
use k8s_apimachinery::{
    Map, Object, Value,
    pod_security::{self, Level, Policy, Standard, Subject, Violation},
};

use super::{Admission, Operation, Review};
use crate::{
    ApiError,
    registry::{Effects, fault},
};

/// Before each annotation of the audit log.
const ANNOTATION: &str = "pod-security.kubernetes.io/";

/// These subresources of pods change nothing that a standard is about.
const HARMLESS: [&str; 8] = [
    "attach",
    "binding",
    "eviction",
    "exec",
    "log",
    "portforward",
    "proxy",
    "status",
];

/// Where pods are described, by group and plural.
const TEMPLATES: [(&str, &str, &[&str]); 8] = [
    ("", "podtemplates", &["template"]),
    ("", "replicationcontrollers", &["spec", "template"]),
    ("apps", "replicasets", &["spec", "template"]),
    ("apps", "deployments", &["spec", "template"]),
    ("apps", "statefulsets", &["spec", "template"]),
    ("apps", "daemonsets", &["spec", "template"]),
    ("batch", "jobs", &["spec", "template"]),
    (
        "batch",
        "cronjobs",
        &["spec", "jobTemplate", "spec", "template"],
    ),
];

/// Refuses pods that violate what their namespace enforces, and tells and notes other violations. Templates of pods
/// are never refused: that is for the pods that are made of them.
#[derive(Debug, Clone, Default)]
pub struct PodSecurity {
    /// What holds where a namespace has no labels.
    pub defaults: Policy,
    /// Who is not held to anything.
    pub exemptions: Exemptions,
}

/// Who is not held to the standards.
#[derive(Debug, Clone, Default)]
pub struct Exemptions {
    /// Whatever these users do.
    pub users: Vec<String>,
    /// Whatever is in these namespaces.
    pub namespaces: Vec<String>,
    /// Pods of these runtime classes.
    pub runtime_classes: Vec<String>,
}

#[async_trait]
impl Admission for PodSecurity {
    fn name(&self) -> &'static str {
        "PodSecurity"
    }

    async fn validate(
        &self,
        review: &Review<'_>,
        object: Option<&Object>,
    ) -> Result<Effects, ApiError> {
        let is_written = matches!(review.operation, Operation::Create | Operation::Update);
        let Some(object) = object.filter(|_| is_written) else {
            return Ok(Effects::default());
        };
        let row = &review.resource.row;
        match (row.group.as_str(), row.plural.as_str()) {
            ("", "namespaces") if review.subresource.is_empty() => {
                self.check_namespace(review, object)?;
            }
            ("", "pods") if !HARMLESS.contains(&review.subresource) => {
                self.check_pod(review, object)?;
            }
            (group, plural) if review.subresource.is_empty() => {
                let mut templates = TEMPLATES.iter();
                let found = templates.find(|(g, p, _)| *g == group && *p == plural);
                let template = found.and_then(|(_, _, path)| object.get(path)?.as_object());
                if let Some(template) = template {
                    self.check_template(review, template)?;
                }
            }
            _ => {}
        }
        Ok(Effects::default())
    }
}

impl PodSecurity {
    /// Labels must be readable if they are new, and whoever raises the level hears which pods are above it.
    fn check_namespace(&self, review: &Review<'_>, namespace: &Object) -> Result<(), ApiError> {
        let (policy, faults) = self.policy(namespace);
        let Some(old) = review.old else {
            return fault::invalid(review.resource.group_kind(), review.name, faults);
        };
        let (old_policy, old_faults) = self.policy(old);
        if faults != old_faults {
            fault::invalid(review.resource.group_kind(), review.name, faults)?;
        }
        let (new, old) = (policy.enforce, old_policy.enforce);
        let is_laxer = new.version == old.version && new.level <= old.level;
        if new.level == Level::Privileged || is_laxer {
            return Ok(());
        }
        if self
            .exemptions
            .namespaces
            .iter()
            .any(|it| it == review.name)
        {
            annotate(review, "exempt", "namespace");
            return Ok(());
        }
        let pods = review.view.list("", "pods", review.name);
        let pods = pods.iter().map(|pod| pod.entry.object());
        let pods = pods.filter(|pod| !self.is_exempt_class(&Subject::new(pod.as_map())));
        for warning in pod_security::survey(review.name, pods.collect(), new) {
            review.notices.warn(warning);
        }
        Ok(())
    }

    fn check_pod(&self, review: &Review<'_>, pod: &Object) -> Result<(), ApiError> {
        if self.exempts(review) {
            return Ok(());
        }
        let policy = self.policy_at(review)?;
        if policy.0.is_privileged() && policy.1.is_empty() {
            annotate(review, "enforce-policy", &Standard::PRIVILEGED.to_string());
            return Ok(());
        }
        if review.old.is_some_and(|old| !is_significant(pod, old)) {
            return Ok(());
        }
        self.evaluate(review, policy, pod.as_map(), true)
    }

    fn check_template(
        &self,
        review: &Review<'_>,
        template: &Map<String, Value>,
    ) -> Result<(), ApiError> {
        if self.exempts(review) {
            return Ok(());
        }
        let policy = self.policy_at(review)?;
        let Policy { audit, warn, .. } = policy.0;
        let is_unchecked = [audit, warn]
            .iter()
            .all(|standard| standard.level == Level::Privileged);
        match is_unchecked && policy.1.is_empty() {
            true => Ok(()),
            false => self.evaluate(review, policy, template, false),
        }
    }

    fn evaluate(
        &self,
        review: &Review<'_>,
        (policy, faults): Read,
        pod: &Map<String, Value>,
        is_pod: bool,
    ) -> Result<(), ApiError> {
        let subject = Subject::new(pod);
        if self.is_exempt_class(&subject) {
            annotate(review, "exempt", "runtimeClass");
            return Ok(());
        }
        if !faults.is_empty() {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            let faults = match faults.as_slice() {
                [only] => only.clone(),
                many => format!("[{}]", many.join(", ")),
            };
            annotate(
                review,
                "error",
                &format!("Failed to parse policy: {faults}"),
            );
        }
        let found = |standard| Some(pod_security::evaluate(standard, &subject));
        let violations = |standard| found(standard).filter(|found| !found.is_empty());
        if let Some(found) = violations(policy.audit) {
            let text = format!("would violate {}", sentence(policy.audit, &found));
            annotate(review, "audit-violations", &text);
        }
        if is_pod {
            annotate(review, "enforce-policy", &policy.enforce.to_string());
            if let Some(found) = violations(policy.enforce) {
                let sentence = sentence(policy.enforce, &found);
                return Err(review.forbidden(format!("violates {sentence}")));
            }
        }
        if let Some(found) = violations(policy.warn) {
            let sentence = sentence(policy.warn, &found);
            review.notices.warn(format!("would violate {sentence}"));
        }
        Ok(())
    }

    /// Whether the user or the namespace is exempt; says so in the audit log.
    fn exempts(&self, review: &Review<'_>) -> bool {
        let Exemptions {
            users, namespaces, ..
        } = &self.exemptions;
        let by = if namespaces.iter().any(|it| it == review.namespace) {
            "namespace"
        } else if users.contains(&review.user.name) {
            "user"
        } else {
            return false;
        };
        annotate(review, "exempt", by);
        true
    }

    fn is_exempt_class(&self, subject: &Subject<'_>) -> bool {
        let classes = &self.exemptions.runtime_classes;
        let class = subject.runtime_class();
        class.is_some_and(|class| classes.iter().any(|it| it == class))
    }

    fn policy_at(&self, review: &Review<'_>) -> Result<Read, ApiError> {
        let namespace = review.view.get("", "namespaces", "", review.namespace);
        let namespace = namespace.ok_or_else(|| {
            ApiError::internal(format!("failed to lookup namespace {}", review.namespace))
        })?;
        Ok(self.policy(&namespace))
    }

    fn policy(&self, namespace: &Object) -> Read {
        Policy::of(|key| namespace.label(key), self.defaults)
    }
}

/// A policy, and the labels that could not be read.
type Read = (Policy, Vec<k8s_apimachinery::api::FieldError>);

fn sentence(standard: Standard, violations: &[Violation]) -> String {
    let violations = pod_security::told(violations);
    format!("PodSecurity \"{standard}\": {violations}")
}

fn annotate(review: &Review<'_>, key: &str, value: &str) {
    review.notices.annotate(format!("{ANNOTATION}{key}"), value);
}

/// Whether an update changes what a standard may look at: images, the annotations of old, containers for debugging.
/// All else is immutable.
fn is_significant(pod: &Object, old: &Object) -> bool {
    const SECCOMP: &str = "seccomp.security.alpha.kubernetes.io/pod";
    let list = |object: &'_ Object, field: &str| -> Vec<Value> {
        let list = object.get(&["spec", field]).and_then(Value::as_array);
        list.cloned().unwrap_or_default()
    };
    let differs = |new: &Value, before: &Value| {
        let name = new["name"].as_str().unwrap_or_default();
        let key = format!("container.seccomp.security.alpha.kubernetes.io/{name}");
        new["image"] != before["image"] || pod.annotation(&key) != old.annotation(&key)
    };
    let in_place = ["containers", "initContainers"].iter().any(|field| {
        let (new, before) = (list(pod, field), list(old, field));
        new.len() != before.len() || new.iter().zip(&before).any(|(n, b)| differs(n, b))
    });
    let before = list(old, "ephemeralContainers");
    let is_debugged = list(pod, "ephemeralContainers").iter().any(|container| {
        let known = before.iter().find(|it| it["name"] == container["name"]);
        known.is_none_or(|known| differs(container, known))
    });
    pod.annotation(SECCOMP) != old.annotation(SECCOMP) || in_place || is_debugged
}

#[cfg(test)]
mod tests;
