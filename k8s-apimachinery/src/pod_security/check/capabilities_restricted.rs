//! Containers drop all capabilities, and may take back one: to serve on ports below 1024.

use super::capabilities_baseline::{adding, must_not_include};
use crate::pod_security::{Subject, Violation, subject::texts};

pub(super) fn check(subject: &Subject) -> Option<Violation> {
    let keeping = subject.containers_that(|container| {
        let mut drop = texts(&container.security()["capabilities"]["drop"]);
        !drop.any(|capability| capability == "ALL")
    });
    let (names, added) = adding(subject, &["NET_BIND_SERVICE"]);
    let mut details = Vec::new();
    if !keeping.is_empty() {
        details.push(format!(
            "{} must set securityContext.capabilities.drop=[\"ALL\"]",
            keeping.of_containers()
        ));
    }
    if !names.is_empty() {
        details.push(must_not_include(&names, &added));
    }
    (!details.is_empty()).then(|| Violation {
        reason: "unrestricted capabilities",
        detail: details.join("; "),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::check as run;
    use crate::pod_security::testing::{check, contexts};

    #[test]
    fn all_are_dropped_and_one_may_be_added() {
        let none = json!({"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}});
        check(run, contexts(std::slice::from_ref(&none)), "");
        check(
            run,
            contexts(&[
                json!(null),
                none,
                json!({"capabilities": {"drop": ["all"]}}),
            ]),
            r#"unrestricted capabilities (containers "a", "c" must set securityContext.capabilities.drop=["ALL"])"#,
        );
        check(
            run,
            contexts(&[
                json!({"capabilities": {"drop": ["ALL"], "add": ["CHOWN"]}}),
                json!({"capabilities": {"add": ["BPF"]}}),
            ]),
            r#"unrestricted capabilities (container "b" must set securityContext.capabilities.drop=["ALL"]; containers "a", "b" must not include "BPF", "CHOWN" in securityContext.capabilities.add)"#,
        );
    }
}
