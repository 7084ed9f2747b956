//! Security contexts: the pod's and each container's.

use crate::api::field::Field;

const MAX_ID: i64 = i32::MAX as i64;

/// Checks the pod's security context and the host's namespaces it shares.
pub(super) fn check_pod(spec: &Field) {
    let context = spec.get("securityContext");
    if spec.get("shareProcessNamespace").is_true() && spec.get("hostPID").is_true() {
        spec.get("shareProcessNamespace")
            .invalid("ShareProcessNamespace and HostPID cannot both be enabled");
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
        check_sysctl_name(&sysctl.get("name"));
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
    const TYPES: [&str; 3] = ["Localhost", "RuntimeDefault", "Unconfined"];
    for field in ["seccompProfile", "appArmorProfile"] {
        let profile = context.get(field);
        if !profile.is_set() {
            continue;
        }
        let (type_, localhost) = (profile.get("type"), profile.get("localhostProfile"));
        type_.must_be_one_of(&TYPES);
        match type_.str() {
            "Localhost" if localhost.is_empty() => {
                localhost.required("must be set when seccomp type is Localhost");
            }
            "Localhost" => {}
            _ if localhost.is_set() => {
                localhost.invalid("can only be set when seccomp type is Localhost");
            }
            _ => {}
        }
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
