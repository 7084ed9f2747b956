//! No container is privileged: that is to be root on the host.

use crate::pod_security::{Subject, Violation};

pub(super) fn check(subject: &Subject) -> Option<Violation> {
    let names = subject.containers_that(|container| container.security()["privileged"] == true);
    (!names.is_empty()).then(|| Violation {
        reason: "privileged",
        detail: format!(
            "{} must not set securityContext.privileged=true",
            names.of_containers()
        ),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::check as run;
    use crate::pod_security::testing::{check, contexts};

    #[test]
    fn no_container_of_any_sort_is_privileged() {
        let yes = json!({"privileged": true});
        check(
            run,
            contexts(&[json!(null), json!({"privileged": false})]),
            "",
        );
        check(
            run,
            contexts(&[yes.clone(), json!(null), yes.clone()]),
            r#"privileged (containers "a", "c" must not set securityContext.privileged=true)"#,
        );
        check(
            run,
            json!({
                "containers": [{"name": "main"}],
                "ephemeralContainers": [{"name": "debug", "securityContext": yes}],
                "initContainers": [{"name": "init", "securityContext": yes}],
            }),
            r#"privileged (containers "init", "debug" must not set securityContext.privileged=true)"#,
        );
    }
}
