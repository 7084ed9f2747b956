//! What a pod does that a standard forbids, and the words for it.

use std::collections::BTreeSet;
use std::fmt;

/// A check that a pod fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What is forbidden, in a word: `host namespaces`.
    pub reason: &'static str,
    /// Where it is done, and what to do instead.
    pub detail: String,
}

/// The violations as a client reads them: `host namespaces (hostPID=true), privileged (container ...)`.
pub fn told(violations: &[Violation]) -> String {
    let each = violations
        .iter()
        .map(|Violation { reason, detail }| match detail.as_str() {
            "" => (*reason).to_owned(),
            detail => format!("{reason} ({detail})"),
        });
    each.collect::<Vec<_>>().join(", ")
}

/// The same, without details: what many pods may have in common.
pub fn reasons(violations: &[Violation]) -> String {
    let each = violations.iter().map(|violation| violation.reason);
    each.collect::<Vec<_>>().join(", ")
}

/// Who sets something that is forbidden: the pod, containers, or both.
#[derive(Debug, Default)]
pub(super) struct Setters<'a> {
    pub(super) pod: bool,
    pub(super) containers: Names<'a>,
}

/// Names of containers or volumes, in the order in which they were met.
#[derive(Debug, Default)]
pub(super) struct Names<'a>(pub(super) Vec<&'a str>);

impl Setters<'_> {
    pub(super) fn is_empty(&self) -> bool {
        !self.pod && self.containers.is_empty()
    }
}

impl<'a> Names<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn push(&mut self, name: &'a str) {
        self.0.push(name);
    }

    /// `container "a"`, or `containers "a", "b"`.
    pub(super) fn of(&self, one: &str, many: &str) -> String {
        format!("{} {}", plural(one, many, self.0.len()), quoted(&self.0))
    }

    /// The same, where containers are meant.
    pub(super) fn of_containers(&self) -> String {
        self.of("container", "containers")
    }

    /// `uses`, or `use`.
    pub(super) fn use_(&self) -> &'static str {
        plural("uses", "use", self.0.len())
    }
}

impl<'a> FromIterator<&'a str> for Names<'a> {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        Names(names.into_iter().collect())
    }
}

/// `pod and containers "a", "b"`.
impl fmt::Display for Setters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pod, self.containers.is_empty()) {
            (true, true) => f.write_str("pod"),
            (true, false) => write!(f, "pod and {}", self.containers.of_containers()),
            (false, _) => f.write_str(&self.containers.of_containers()),
        }
    }
}

/// `"a", "b"`.
pub(super) fn quoted(items: &[&str]) -> String {
    format!("\"{}\"", items.join("\", \""))
}

/// The same for a set, in order.
pub(super) fn quoted_set(items: &BTreeSet<&str>) -> String {
    quoted(&items.iter().copied().collect::<Vec<_>>())
}

/// The word for one, or for any other number.
pub(super) fn plural<'a>(one: &'a str, many: &'a str, count: usize) -> &'a str {
    match count {
        1 => one,
        _ => many,
    }
}
