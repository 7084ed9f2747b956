//! The filter of system calls isn't switched off.

use std::collections::BTreeSet;

use super::seccomp_profile::{REASON, check_chosen};
use crate::pod_security::{Subject, Violation, violation::plural};

/// Before there was a field.
const OF_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const OF_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";

pub(super) fn check(subject: &Subject) -> Option<Violation> {
    check_chosen(subject)
}

pub(super) fn check_annotations(subject: &Subject) -> Option<Violation> {
    let containers = subject.containers();
    let keys = containers.map(|container| format!("{OF_CONTAINER}{}", container.name()));
    let bad: BTreeSet<String> = keys
        .chain([OF_POD.to_owned()])
        .filter_map(|key| {
            let value = subject.annotation(&key)?;
            let is_allowed = matches!(value, "runtime/default" | "docker/default")
                || value.starts_with("localhost/");
            (!is_allowed).then(|| format!("{key}={value:?}"))
        })
        .collect();
    (!bad.is_empty()).then(|| Violation {
        reason: REASON,
        detail: format!(
            "forbidden {} {}",
            plural("annotation", "annotations", bad.len()),
            bad.into_iter().collect::<Vec<_>>().join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{check as run, check_annotations};
    use crate::pod_security::testing::{check, check_pod, pod_and};

    fn profile(type_: &str) -> Value {
        json!({"seccompProfile": {"type": type_}})
    }

    #[test]
    fn the_filter_stays_on() {
        check(run, pod_and(json!(null), &[json!(null)]), "");
        check(
            run,
            pod_and(profile("RuntimeDefault"), &[profile("Localhost")]),
            "",
        );
        check(
            run,
            pod_and(profile("Unconfined"), &[json!(null), profile("Odd")]),
            r#"seccompProfile (pod and container "b" must not set securityContext.seccompProfile.type to "Odd", "Unconfined")"#,
        );
    }

    #[test]
    fn annotations_counted_before_there_was_a_field() {
        let pod = |of_pod: &str, of_container: &str| {
            json!({
                "metadata": {"annotations": {
                    "seccomp.security.alpha.kubernetes.io/pod": of_pod,
                    "container.seccomp.security.alpha.kubernetes.io/a": of_container,
                    "container.seccomp.security.alpha.kubernetes.io/nobody": "unconfined",
                }},
                "spec": {"containers": [{"name": "a"}]},
            })
        };
        check_pod(check_annotations, pod("docker/default", "localhost/x"), "");
        check_pod(
            check_annotations,
            pod("unconfined", "runtime/default"),
            r#"seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod="unconfined")"#,
        );
        check_pod(
            check_annotations,
            pod("unconfined", "odd"),
            r#"seccompProfile (forbidden annotations container.seccomp.security.alpha.kubernetes.io/a="odd", seccomp.security.alpha.kubernetes.io/pod="unconfined")"#,
        );
    }
}
