//! Containers say that they don't run as root, each or all together.

use crate::pod_security::{Subject, Violation, violation::Setters};

const REASON: &str = "runAsNonRoot != true";

pub(super) fn check(subject: &Subject) -> Option<Violation> {
    let says = |context: &serde_json::Value| context["runAsNonRoot"].as_bool();
    let pod = says(subject.security());
    let setters = Setters {
        pod: pod == Some(false),
        containers: subject.containers_that(|it| says(it.security()) == Some(false)),
    };
    if !setters.is_empty() {
        return Some(Violation {
            reason: REASON,
            detail: format!("{setters} must not set securityContext.runAsNonRoot=false"),
        });
    }
    let silent = subject.containers_that(|it| says(it.security()).is_none());
    (pod != Some(true) && !silent.is_empty()).then(|| Violation {
        reason: REASON,
        detail: format!(
            "pod or {} must set securityContext.runAsNonRoot=true",
            silent.of_containers()
        ),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::check as run;
    use crate::pod_security::testing::{check, pod_and};

    #[test]
    fn each_container_or_the_pod_says_that_it_is_not_root() {
        let yes = || json!({"runAsNonRoot": true});
        let no = || json!({"runAsNonRoot": false});
        check(run, pod_and(yes(), &[json!(null)]), "");
        check(run, pod_and(json!(null), &[yes(), yes()]), "");
        check(
            run,
            pod_and(json!(null), &[json!(null), yes()]),
            r#"runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true)"#,
        );
        check(
            run,
            pod_and(yes(), &[json!(null), no()]),
            r#"runAsNonRoot != true (container "b" must not set securityContext.runAsNonRoot=false)"#,
        );
        check(
            run,
            pod_and(no(), &[no(), no()]),
            r#"runAsNonRoot != true (pod and containers "a", "b" must not set securityContext.runAsNonRoot=false)"#,
        );
        let said_by_each =
            r#"runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)"#;
        check(run, pod_and(no(), &[yes()]), said_by_each);
    }
}
