//! `/proc` stays masked.

use std::collections::BTreeSet;

use crate::pod_security::{
    Subject, Violation,
    violation::{Names, quoted_set},
};

pub(super) fn check(subject: &Subject) -> Option<Violation> {
    let mut names = Names::default();
    let mut types = BTreeSet::new();
    for container in subject.containers() {
        let mount = container.security()["procMount"].as_str();
        if let Some(mount) = mount.filter(|mount| *mount != "Default") {
            names.push(container.name());
            types.insert(mount);
        }
    }
    (!names.is_empty()).then(|| Violation {
        reason: "procMount",
        detail: format!(
            "{} must not set securityContext.procMount to {}",
            names.of_containers(),
            quoted_set(&types)
        ),
    })
}

/// What is behind the mask is harmless to a pod whose users are nobody on the host.
pub(super) fn check_host_users(subject: &Subject) -> Option<Violation> {
    match subject.has_own_users() {
        true => None,
        false => check(subject),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{check as run, check_host_users};
    use crate::pod_security::testing::{check, contexts, found};

    #[test]
    fn proc_stays_masked_but_for_pods_with_users_of_their_own() {
        let with = |mount: &str| json!({"procMount": mount});
        check(run, contexts(&[json!(null), with("Default")]), "");
        let unmasked =
            r#"procMount (container "b" must not set securityContext.procMount to "Unmasked")"#;
        let mut pod = contexts(&[json!(null), with("Unmasked")]);
        check(run, pod.clone(), unmasked);
        check(check_host_users, pod.clone(), unmasked);
        pod["hostUsers"] = false.into();
        check(run, pod.clone(), unmasked);
        check(check_host_users, pod.clone(), "");
        // Restricted relaxes nothing.
        assert!(found("baseline:latest", pod.clone()).is_empty());
        assert_eq!(found("baseline:v1.34", pod.clone())[0].reason, "procMount");
        let restricted = found("restricted:latest", pod);
        assert_eq!(
            restricted
                .iter()
                .filter(|it| it.reason == "procMount")
                .count(),
            1
        );
        check(
            run,
            contexts(&[with("Odd"), with("Unmasked")]),
            r#"procMount (containers "a", "b" must not set securityContext.procMount to "Odd", "Unmasked")"#,
        );
    }
}
