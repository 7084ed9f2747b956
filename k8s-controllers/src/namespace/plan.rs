//! What the remaining content of a namespace means: its conditions, and whether it may go.

use std::{collections::BTreeMap, fmt::Write};

use jiff::Timestamp;
use k8s_openapi::{api::core::v1::NamespaceCondition, apimachinery::pkg::apis::meta::v1::Time};

/// What a round of deletion found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Why discovery failed, if it did.
    pub(super) discovery_error: Option<String>,
    /// Deletions that failed.
    pub(super) errors: Vec<String>,
    /// Objects left, by `resource.group`.
    pub(super) remaining: BTreeMap<String, usize>,
    /// Objects left that carry each finalizer.
    pub(super) finalizers: BTreeMap<String, usize>,
}

impl Findings {
    /// Whether nothing is left, as far as anybody can know.
    pub(super) fn is_empty(&self) -> bool {
        self.discovery_error.is_none() && self.errors.is_empty() && self.remaining.is_empty()
    }
}

/// The conditions of a namespace after a round, given those before.
pub(super) fn conditions(
    before: &[NamespaceCondition],
    findings: &Findings,
    now: Timestamp,
) -> Vec<NamespaceCondition> {
    let mut after = before.to_vec();
    for (kind, problem, fine) in [
        (
            "NamespaceDeletionDiscoveryFailure",
            discovery(findings),
            (
                "ResourcesDiscovered",
                "All resources successfully discovered",
            ),
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            None,
            (
                "ParsedGroupVersions",
                "All legacy kube types successfully parsed",
            ),
        ),
        (
            "NamespaceDeletionContentFailure",
            content(findings),
            (
                "ContentDeleted",
                "All content successfully deleted, may be waiting on finalization",
            ),
        ),
        (
            "NamespaceContentRemaining",
            remaining(findings),
            ("ContentRemoved", "All content successfully removed"),
        ),
        (
            "NamespaceFinalizersRemaining",
            finalizers(findings),
            (
                "ContentHasNoFinalizers",
                "All content-preserving finalizers finished",
            ),
        ),
    ] {
        let status = if problem.is_some() { "True" } else { "False" };
        let (reason, message) = problem.unwrap_or((fine.0, fine.1.to_owned()));
        set(&mut after, kind, status, reason, message, now);
    }
    after
}

type Problem = Option<(&'static str, String)>;

fn discovery(findings: &Findings) -> Problem {
    let error = findings.discovery_error.clone()?;
    Some(("DiscoveryFailed", error))
}

fn content(findings: &Findings) -> Problem {
    if findings.errors.is_empty() {
        return None;
    }
    let errors = findings.errors.join(", ");
    let message = format!(
        "Failed to delete all resource types, {} remaining: {errors}",
        findings.errors.len()
    );
    Some(("ContentDeletionFailed", message))
}

fn remaining(findings: &Findings) -> Problem {
    if findings.remaining.is_empty() {
        return None;
    }
    let mut message = "Some resources are remaining: ".to_owned();
    join(&mut message, &findings.remaining, |resource, count| {
        format!("{resource} has {count} resource instances")
    });
    Some(("SomeResourcesRemain", message))
}

fn finalizers(findings: &Findings) -> Problem {
    if findings.finalizers.is_empty() {
        return None;
    }
    let mut message = "Some content in the namespace has finalizers remaining: ".to_owned();
    join(&mut message, &findings.finalizers, |finalizer, count| {
        format!("{finalizer} in {count} resource instances")
    });
    Some(("SomeFinalizersRemain", message))
}

fn join(into: &mut String, counts: &BTreeMap<String, usize>, show: impl Fn(&str, usize) -> String) {
    for (i, (name, count)) in counts.iter().enumerate() {
        let separator = if i == 0 { "" } else { ", " };
        // Writing to a String can't fail.
        let _ = write!(into, "{separator}{}", show(name, *count));
    }
}

/// The time of a condition is when its status last changed.
fn set(
    conditions: &mut Vec<NamespaceCondition>,
    kind: &str,
    status: &str,
    reason: &str,
    message: String,
    now: Timestamp,
) {
    let known = conditions.iter_mut().find(|known| known.type_ == kind);
    match known {
        Some(known) => {
            if known.status != status {
                known.status = status.into();
                known.last_transition_time = Some(Time(now));
            }
            known.reason = Some(reason.into());
            known.message = Some(message);
        }
        None => conditions.push(NamespaceCondition {
            type_: kind.into(),
            status: status.into(),
            reason: Some(reason.into()),
            message: Some(message),
            last_transition_time: Some(Time(now)),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(findings: &Findings, kind: &str, expected: (&str, &str, &str)) {
        let conditions = conditions(&[], findings, Timestamp::UNIX_EPOCH);
        let condition = conditions.iter().find(|known| known.type_ == kind).unwrap();
        let shown = (
            condition.status.as_str(),
            condition.reason.as_deref().unwrap(),
            condition.message.as_deref().unwrap(),
        );
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_remains_is_named_and_counted() {
        let findings = Findings {
            remaining: BTreeMap::from([("pods.".into(), 2), ("deployments.apps".into(), 1)]),
            finalizers: BTreeMap::from([("example.com/hold".into(), 1)]),
            ..Findings::default()
        };
        check(
            &findings,
            "NamespaceContentRemaining",
            (
                "True",
                "SomeResourcesRemain",
                "Some resources are remaining: deployments.apps has 1 resource instances, pods. has 2 resource instances",
            ),
        );
        check(
            &findings,
            "NamespaceFinalizersRemaining",
            (
                "True",
                "SomeFinalizersRemain",
                "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
            ),
        );
        assert!(!findings.is_empty());
    }

    #[test]
    fn an_empty_namespace_says_that_all_is_removed() {
        check(
            &Findings::default(),
            "NamespaceContentRemaining",
            (
                "False",
                "ContentRemoved",
                "All content successfully removed",
            ),
        );
        assert!(Findings::default().is_empty());
    }

    #[test]
    fn a_condition_keeps_its_time_while_its_status_lasts() {
        let first = conditions(&[], &Findings::default(), Timestamp::UNIX_EPOCH);
        let later = Timestamp::from_second(60).unwrap();
        assert_eq!(conditions(&first, &Findings::default(), later), first);
    }
}
