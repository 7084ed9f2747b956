//! The operating system that a pod says it needs, and what it then can't have (KEP-2802).

use super::Stage;
use crate::api::field::Field;

const LINUX: &str = "windows options cannot be set for a linux pod";
const WINDOWS: &str = "cannot be set for a windows pod";

/// Fields of a pod's security context that mean nothing on Windows.
const OF_POD: [&str; 11] = [
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "fsGroup",
    "fsGroupChangePolicy",
    "sysctls",
    "runAsUser",
    "runAsGroup",
    "supplementalGroups",
    "supplementalGroupsPolicy",
    "seLinuxChangePolicy",
];
/// The same for a container.
const OF_CONTAINER: [&str; 10] = [
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
];

/// Checks that a pod asks for nothing that its system lacks.
pub(super) fn check(spec: &Field) {
    let os = spec.get("os");
    if !os.is_set() {
        return;
    }
    let name = os.get("name");
    match name.str() {
        "linux" => each_context(spec, |context, _| {
            refuse(context, &["windowsOptions"], LINUX)
        }),
        "windows" => {
            refuse(spec, &["hostUsers"], WINDOWS);
            for field in ["hostPID", "hostIPC"].map(|field| spec.get(field)) {
                if field.is_true() {
                    field.forbidden(WINDOWS);
                }
            }
            refuse(spec, &["shareProcessNamespace"], WINDOWS);
            each_context(spec, |context, is_pod| {
                let fields: &[&str] = if is_pod { &OF_POD } else { &OF_CONTAINER };
                refuse(context, fields, WINDOWS);
            });
        }
        _ => name.must_be_one_of(&["linux", "windows"]),
    }
}

/// The security contexts of the pod and of its containers.
fn each_context(spec: &Field, visit: impl Fn(&Field, bool)) {
    visit(&spec.get("securityContext"), true);
    for stage in [Stage::Init, Stage::Main, Stage::Ephemeral] {
        for container in spec.get(stage.field()).items() {
            visit(&container.get("securityContext"), false);
        }
    }
}

fn refuse(context: &Field, fields: &[&str], why: &str) {
    for field in fields {
        let field = context.get(field);
        if field.is_set() {
            field.forbidden(why);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::api::{collect, testing::object};
    use serde_json::{Value, json};

    #[track_caller]
    fn check(spec: Value, want: &[&str]) {
        let faults = collect(&object(spec), super::check);
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, want);
    }

    #[test]
    fn each_system_has_options_of_its_own() {
        let windows = json!({"windowsOptions": {"runAsUserName": "u"}});
        let linux = json!({"runAsUser": 1, "capabilities": {}});
        let spec = |os: &str, context: &Value| {
            json!({
                "os": {"name": os}, "hostPID": false, "securityContext": context,
                "containers": [{"securityContext": context}],
            })
        };
        check(spec("windows", &windows), &[]);
        check(spec("linux", &linux), &[]);
        check(
            spec("linux", &windows),
            &[
                "securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod",
                "containers[0].securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod",
            ],
        );
        check(
            spec("windows", &linux),
            &[
                "securityContext.runAsUser: Forbidden: cannot be set for a windows pod",
                "containers[0].securityContext.capabilities: Forbidden: cannot be set for a windows pod",
                "containers[0].securityContext.runAsUser: Forbidden: cannot be set for a windows pod",
            ],
        );
        check(
            json!({"os": {"name": "windows"}, "hostPID": true, "hostUsers": true}),
            &[
                "hostUsers: Forbidden: cannot be set for a windows pod",
                "hostPID: Forbidden: cannot be set for a windows pod",
            ],
        );
        check(
            json!({"os": {"name": "plan9"}}),
            &[r#"os.name: Unsupported value: "plan9": supported values: "linux", "windows""#],
        );
    }
}
