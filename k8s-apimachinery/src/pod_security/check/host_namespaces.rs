//! Pods have a network, process numbers and shared memory of their own.

use crate::pod_security::{Subject, Violation};

pub(super) fn check(subject: &Subject) -> Option<Violation> {
    let fields = ["hostNetwork", "hostPID", "hostIPC"];
    let shared = fields
        .iter()
        .filter(|field| subject.spec()[**field] == true);
    let shared: Vec<String> = shared.map(|field| format!("{field}=true")).collect();
    (!shared.is_empty()).then(|| Violation {
        reason: "host namespaces",
        detail: shared.join(", "),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::check as run;
    use crate::pod_security::testing::check;

    #[test]
    fn nothing_is_shared_with_the_host() {
        check(run, json!({}), "");
        check(
            run,
            json!({"hostNetwork": false, "hostPID": false, "hostIPC": false}),
            "",
        );
        check(
            run,
            json!({"hostPID": true}),
            "host namespaces (hostPID=true)",
        );
        check(
            run,
            json!({"hostIPC": true, "hostNetwork": true, "hostPID": true}),
            "host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)",
        );
    }
}
