//! System calls are filtered, and the pod or each container says so.

use super::seccomp_profile::{REASON, check_chosen, is_filtering, type_of};
use crate::pod_security::{Subject, Violation};

pub(super) fn check(subject: &Subject) -> Option<Violation> {
    if let Some(violation) = check_chosen(subject) {
        return Some(violation);
    }
    if type_of(subject.security()).is_some_and(is_filtering) {
        return None;
    }
    let silent = subject.containers_that(|container| type_of(container.security()).is_none());
    (!silent.is_empty()).then(|| Violation {
        reason: REASON,
        detail: format!(
            r#"pod or {} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost""#,
            silent.of_containers()
        ),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::check as run;
    use crate::pod_security::testing::{check, pod_and};

    fn profile(type_: &str) -> Value {
        json!({"seccompProfile": {"type": type_}})
    }

    #[test]
    fn the_filter_is_on_and_said_to_be() {
        let default = || profile("RuntimeDefault");
        check(run, pod_and(default(), &[json!(null)]), "");
        check(
            run,
            pod_and(json!(null), &[profile("Localhost"), default()]),
            "",
        );
        let silent = r#"seccompProfile (pod or container "b" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")"#;
        check(run, pod_and(json!(null), &[default(), json!(null)]), silent);
        check(
            run,
            pod_and(profile("Unconfined"), &[json!(null), profile("Unconfined")]),
            r#"seccompProfile (pod and container "b" must not set securityContext.seccompProfile.type to "Unconfined")"#,
        );
    }
}
