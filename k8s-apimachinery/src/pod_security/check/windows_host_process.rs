//! No container is a process of a Windows host.

use serde_json::Value;

use crate::pod_security::{Subject, Violation, violation::Setters};

pub(super) fn check(subject: &Subject) -> Option<Violation> {
    let is_host_process = |context: &Value| context["windowsOptions"]["hostProcess"] == true;
    let setters = Setters {
        pod: is_host_process(subject.security()),
        containers: subject.containers_that(|container| is_host_process(container.security())),
    };
    (!setters.is_empty()).then(|| Violation {
        reason: "hostProcess",
        detail: format!("{setters} must not set securityContext.windowsOptions.hostProcess=true"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::check as run;
    use crate::pod_security::testing::{check, pod_and};

    #[test]
    fn no_container_is_a_process_of_the_host() {
        let host = |is: bool| json!({"windowsOptions": {"hostProcess": is}});
        check(run, pod_and(host(false), &[json!(null), host(false)]), "");
        check(
            run,
            pod_and(host(true), &[host(true), json!(null)]),
            r#"hostProcess (pod and container "a" must not set securityContext.windowsOptions.hostProcess=true)"#,
        );
    }
}
