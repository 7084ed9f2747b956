//! No process may gain more privileges than the one that started it.

use crate::pod_security::{Subject, Violation};

/// Each container has to say so.
pub(super) fn check(subject: &Subject) -> Option<Violation> {
    let names = subject
        .containers_that(|container| container.security()["allowPrivilegeEscalation"] != false);
    (!names.is_empty()).then(|| Violation {
        reason: "allowPrivilegeEscalation != false",
        detail: format!(
            "{} must set securityContext.allowPrivilegeEscalation=false",
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
    fn each_container_says_that_it_does_not_escalate() {
        let no = json!({"allowPrivilegeEscalation": false});
        let yes = json!({"allowPrivilegeEscalation": true});
        check(run, contexts(std::slice::from_ref(&no)), "");
        check(
            run,
            contexts(&[json!(null), no, yes]),
            r#"allowPrivilegeEscalation != false (containers "a", "c" must set securityContext.allowPrivilegeEscalation=false)"#,
        );
    }
}
