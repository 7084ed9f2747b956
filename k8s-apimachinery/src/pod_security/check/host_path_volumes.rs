//! No volume is a part of the host's own files.

use crate::pod_security::{Subject, Violation, subject::text, violation::Names};

pub(super) fn check(subject: &Subject) -> Option<Violation> {
    let volumes = subject.volumes().filter(|it| !it["hostPath"].is_null());
    let names: Names = volumes.map(|volume| text(&volume["name"])).collect();
    (!names.is_empty()).then(|| Violation {
        reason: "hostPath volumes",
        detail: names.of("volume", "volumes"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::check as run;
    use crate::pod_security::testing::check;

    #[test]
    fn no_volume_is_a_path_of_the_host() {
        check(run, json!({"volumes": [{"name": "a", "emptyDir": {}}]}), "");
        let host = |name: &str| json!({"name": name, "hostPath": {"path": "/"}});
        check(
            run,
            json!({"volumes": [host("a"), {"name": "b", "emptyDir": {}}]}),
            r#"hostPath volumes (volume "a")"#,
        );
        check(
            run,
            json!({"volumes": [host("b"), host("a")]}),
            r#"hostPath volumes (volumes "b", "a")"#,
        );
    }
}
