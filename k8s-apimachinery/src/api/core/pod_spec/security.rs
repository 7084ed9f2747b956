//! Security contexts: the pod's and each container's.

use super::{volume::check_descending_path, windows};
use crate::api::field::Field;

const MAX_ID: i64 = i32::MAX as i64;

/// Checks the pod's security context and the host's namespaces it shares.
pub(super) fn check_pod(spec: &Field) {
    let context = spec.get("securityContext");
    if spec.get("shareProcessNamespace").is_true() && spec.get("hostPID").is_true() {
        // Kubernetes reports it where its own type has it.
        context.get("shareProcessNamespace").invalid_value(
            true,
            "ShareProcessNamespace and HostPID cannot both be enabled",
        );
    }
    if spec.get("hostUsers").value() == Some(&serde_json::Value::Bool(false)) {
        for namespace in ["hostNetwork", "hostPID", "hostIPC"] {
            if spec.get(namespace).is_true() {
                spec.get(namespace).forbidden("when `hostUsers` is false");
            }
        }
    }
    check_ids(&context, &["runAsUser", "runAsGroup", "fsGroup"]);
    for group in context.get("supplementalGroups").items() {
        group.must_be_between(0, MAX_ID);
    }
    context
        .get("fsGroupChangePolicy")
        .may_be_one_of(&["Always", "OnRootMismatch"]);
    context
        .get("supplementalGroupsPolicy")
        .may_be_one_of(&["Merge", "Strict"]);
    context
        .get("seLinuxChangePolicy")
        .may_be_one_of(&["MountOption", "Recursive"]);
    for sysctl in context.get("sysctls").items() {
        let name = sysctl.get("name");
        check_sysctl_name(&name);
        check_own_namespace(&name, spec);
    }
    context.get("sysctls").must_differ_in("name");
    check_profiles(&context);
}

/// Checks a container's security context.
pub(super) fn check_container(context: &Field) {
    if !context.is_set() {
        return;
    }
    check_ids(context, &["runAsUser", "runAsGroup"]);
    context
        .get("procMount")
        .may_be_one_of(&["Default", "Unmasked"]);
    let escalation = context.get("allowPrivilegeEscalation");
    if escalation.value() == Some(&serde_json::Value::Bool(false)) {
        if context.get("privileged").is_true() {
            context
                .invalid("cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
        }
        let capabilities = context.get("capabilities");
        let added = capabilities.get("add");
        if added
            .items()
            .any(|capability| capability.str() == "CAP_SYS_ADMIN")
        {
            context.invalid(
                "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN",
            );
        }
    }
    check_profiles(context);
}

fn check_ids(context: &Field, fields: &[&str]) {
    for field in fields {
        context.get(field).must_be_between(0, MAX_ID);
    }
}

fn check_profiles(context: &Field) {
    check_seccomp(&context.get("seccompProfile"));
    windows::check(&context.get("windowsOptions"));
    check_app_armor(&context.get("appArmorProfile"));
}

const PROFILE_TYPES: [&str; 3] = ["Localhost", "RuntimeDefault", "Unconfined"];

fn check_seccomp(profile: &Field) {
    if !profile.is_set() {
        return;
    }
    let (type_, localhost) = (profile.get("type"), profile.get("localhostProfile"));
    if type_.is_empty() {
        type_.required("type is required when seccompProfile is set");
    }
    type_.may_be_one_of(&PROFILE_TYPES);
    match type_.str() {
        "Localhost" if !localhost.is_set() => {
            localhost.required("must be set when seccomp type is Localhost");
        }
        "Localhost" => check_descending_path(&localhost),
        _ if localhost.is_set() => {
            localhost.invalid("can only be set when seccomp type is Localhost");
        }
        _ => {}
    }
}

fn check_app_armor(profile: &Field) {
    const LONGEST: usize = 4095;
    if !profile.is_set() {
        return;
    }
    let (type_, localhost) = (profile.get("type"), profile.get("localhostProfile"));
    if type_.is_empty() {
        type_.required("type is required when appArmorProfile is set");
    }
    type_.may_be_one_of(&PROFILE_TYPES);
    match (type_.str(), localhost.is_set()) {
        ("Localhost", true) => {
            if localhost.str().trim() != localhost.str() {
                localhost.invalid("must not be padded with whitespace");
            } else if localhost.is_empty() {
                localhost.required("must be set when AppArmor type is Localhost");
            }
            if localhost.str().len() > LONGEST {
                localhost.too_long(LONGEST);
            }
        }
        ("Localhost", false) => localhost.required("must be set when AppArmor type is Localhost"),
        ("RuntimeDefault" | "Unconfined", true) => {
            localhost.invalid("can only be set when AppArmor type is Localhost");
        }
        _ => {}
    }
}

/// A setting of a namespace that the pod shares with its host would be one of the host.
fn check_own_namespace(sysctl: &Field, spec: &Field) {
    let name = sysctl.str().replace('/', ".");
    let is_of = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    let is_ipc = name == "kernel.sem" || is_of(&["kernel.shm", "kernel.msg", "fs.mqueue."]);
    if is_of(&["net."]) && spec.get("hostNetwork").is_true() {
        sysctl.invalid("may not be specified when 'hostNetwork' is true");
    } else if is_ipc && spec.get("hostIPC").is_true() {
        sysctl.invalid("may not be specified when 'hostIPC' is true");
    }
}

fn check_sysctl_name(name: &Field) {
    let is_segment = |segment: &str| {
        let is_edge =
            |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        is_edge(segment.chars().next())
            && is_edge(segment.chars().next_back())
            && segment
                .chars()
                .all(|c| is_edge(Some(c)) || matches!(c, '-' | '_'))
    };
    if !name.must_be_set() {
        return;
    }
    if name.str().len() > 253 {
        name.too_long(253);
    } else if !name.str().split(['.', '/']).all(is_segment) {
        name.invalid(
            "must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$",
        );
    }
}
