//! Containers may add no capability beyond those that runtimes give by default.

use std::collections::BTreeSet;

use crate::pod_security::{
    Subject, Violation,
    subject::texts,
    violation::{Names, quoted_set},
};

/// What runtimes give by default; `NET_RAW` is left out on purpose.
const ALLOWED: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

pub(super) fn check(subject: &Subject) -> Option<Violation> {
    let (names, added) = adding(subject, &ALLOWED);
    (!names.is_empty()).then(|| Violation {
        reason: "non-default capabilities",
        detail: must_not_include(&names, &added),
    })
}

/// The containers that add other capabilities than those, and which.
pub(super) fn adding<'a>(
    subject: &Subject<'a>,
    allowed: &[&str],
) -> (Names<'a>, BTreeSet<&'a str>) {
    let mut names = Names::default();
    let mut added = BTreeSet::new();
    for container in subject.containers() {
        let add = texts(&container.security()["capabilities"]["add"]);
        let bad: Vec<&str> = add
            .filter(|capability| !allowed.contains(capability))
            .collect();
        if !bad.is_empty() {
            names.push(container.name());
        }
        added.extend(bad);
    }
    (names, added)
}

/// The sentence about them.
pub(super) fn must_not_include(names: &Names<'_>, added: &BTreeSet<&str>) -> String {
    format!(
        "{} must not include {} in securityContext.capabilities.add",
        names.of_containers(),
        quoted_set(added)
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::check as run;
    use crate::pod_security::testing::{check, contexts};

    fn add(capabilities: &[&str]) -> Value {
        json!({"capabilities": {"add": capabilities}})
    }

    #[test]
    fn only_capabilities_that_are_given_anyway_are_added() {
        check(
            run,
            contexts(&[json!(null), add(&[]), add(&["CHOWN", "MKNOD"])]),
            "",
        );
        check(
            run,
            contexts(&[add(&["SYS_ADMIN", "CHOWN"]), add(&["NET_RAW", "SYS_ADMIN"])]),
            r#"non-default capabilities (containers "a", "b" must not include "NET_RAW", "SYS_ADMIN" in securityContext.capabilities.add)"#,
        );
        check(
            run,
            contexts(&[add(&["CAP_CHOWN"])]),
            r#"non-default capabilities (container "a" must not include "CAP_CHOWN" in securityContext.capabilities.add)"#,
        );
    }
}
