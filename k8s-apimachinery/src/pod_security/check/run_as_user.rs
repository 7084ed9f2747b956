//! Nothing runs as user 0.

use serde_json::Value;

use crate::pod_security::{Subject, Violation, violation::Setters};

pub(super) fn check(subject: &Subject) -> Option<Violation> {
    let is_root = |context: &Value| context["runAsUser"] == 0;
    let setters = Setters {
        pod: is_root(subject.security()),
        containers: subject.containers_that(|container| is_root(container.security())),
    };
    (!setters.is_empty()).then(|| Violation {
        reason: "runAsUser=0",
        detail: format!("{setters} must not set runAsUser=0"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::check as run;
    use crate::pod_security::testing::{check, pod_and};

    #[test]
    fn nobody_runs_as_root() {
        let user = |id: i64| json!({"runAsUser": id});
        check(run, pod_and(user(1), &[json!(null), user(1000)]), "");
        check(
            run,
            pod_and(user(0), &[user(0), user(1)]),
            r#"runAsUser=0 (pod and container "a" must not set runAsUser=0)"#,
        );
        check(
            run,
            pod_and(user(0), &[]),
            "runAsUser=0 (pod must not set runAsUser=0)",
        );
    }
}
