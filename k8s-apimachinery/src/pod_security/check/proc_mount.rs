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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::check as run;
    use crate::pod_security::testing::{check, contexts};

    #[test]
    fn proc_stays_masked() {
        let with = |mount: &str| json!({"procMount": mount});
        check(run, contexts(&[json!(null), with("Default")]), "");
        check(
            run,
            contexts(&[json!(null), with("Unmasked")]),
            r#"procMount (container "b" must not set securityContext.procMount to "Unmasked")"#,
        );
        check(
            run,
            contexts(&[with("Odd"), with("Unmasked")]),
            r#"procMount (containers "a", "b" must not set securityContext.procMount to "Odd", "Unmasked")"#,
        );
    }
}
