//! Security contexts, from Kubernetes' words to the runtime's. Pure.

use std::path::Path;

use k8s_openapi::api::core::v1::{Container, PodSpec, SeccompProfile, SecurityContext};

use crate::cri::{
    Image,
    api::{
        Capability, Int64Value, LinuxContainerSecurityContext, LinuxSandboxSecurityContext,
        NamespaceMode, NamespaceOption, SecurityProfile, SupplementalGroupsPolicy,
        security_profile::ProfileType,
    },
};

/// Parts of /proc and /sys that containers don't see.
const MASKED: [&str; 12] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];
/// Parts of /proc that containers can't write.
const READ_ONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// Which namespaces a pod shares with the node, and its containers with each other.
pub(crate) fn namespaces(spec: &PodSpec) -> NamespaceOption {
    let choose = |on_node: Option<bool>, otherwise: NamespaceMode| {
        let mode = if on_node == Some(true) {
            NamespaceMode::Node
        } else {
            otherwise
        };
        mode.into()
    };
    let pid = match spec.share_process_namespace {
        Some(true) => NamespaceMode::Pod,
        _ => NamespaceMode::Container,
    };
    NamespaceOption {
        network: choose(spec.host_network, NamespaceMode::Pod),
        pid: choose(spec.host_pid, pid),
        ipc: choose(spec.host_ipc, NamespaceMode::Pod),
        target_id: String::new(),
    }
}

/// Puts a container among the processes of another, unless the pod shares them all anyway.
pub(crate) fn join(context: &mut LinuxContainerSecurityContext, target: &str) {
    if let Some(options) = &mut context.namespace_options
        && options.pid() == NamespaceMode::Container
    {
        options.set_pid(NamespaceMode::Target);
        target.clone_into(&mut options.target_id);
    }
}

/// The sandbox's security context.
pub(crate) fn sandbox(spec: &PodSpec) -> LinuxSandboxSecurityContext {
    let context = spec.security_context.clone().unwrap_or_default();
    let mut containers = spec
        .containers
        .iter()
        .chain(spec.init_containers.iter().flatten());
    LinuxSandboxSecurityContext {
        namespace_options: Some(namespaces(spec)),
        run_as_user: context.run_as_user.map(number),
        run_as_group: context.run_as_user.and(context.run_as_group).map(number),
        supplemental_groups: groups(spec),
        supplemental_groups_policy: groups_policy(spec),
        privileged: containers.any(|container| is_privileged(container.security_context.as_ref())),
        seccomp: Some(profile(ProfileType::RuntimeDefault, "")),
        ..LinuxSandboxSecurityContext::default()
    }
}

/// A container's security context; `seccomp_root` is where the node's own profiles are.
pub(crate) fn container(
    spec: &PodSpec,
    container: &Container,
    image: &Image,
    seccomp_root: &Path,
) -> Result<LinuxContainerSecurityContext, String> {
    let pod = spec.security_context.clone().unwrap_or_default();
    let own = container.security_context.clone().unwrap_or_default();
    let user = own.run_as_user.or(pod.run_as_user);
    let group = own.run_as_group.or(pod.run_as_group);
    if own.run_as_non_root.or(pod.run_as_non_root) == Some(true) {
        check_non_root(&container.name, user, image)?;
    }
    // A group needs a user beside it: the image's, when none is asked for.
    let (uid, username) = match (user, image.uid) {
        (Some(user), _) => (Some(user), String::new()),
        (None, Some(uid)) => (Some(uid), String::new()),
        (None, None) if !image.username.is_empty() => (None, image.username.clone()),
        (None, None) => (group.map(|_| 0), String::new()),
    };
    let capabilities = own.capabilities.clone().unwrap_or_default();
    let is_privileged = is_privileged(Some(&own));
    let is_unmasked = own.proc_mount.as_deref() == Some("Unmasked");
    let paths = |paths: &[&str]| -> Vec<String> {
        let shown = if is_unmasked || is_privileged {
            &[]
        } else {
            paths
        };
        shown.iter().map(|path| (*path).to_owned()).collect()
    };
    let seccomp = own
        .seccomp_profile
        .as_ref()
        .or(pod.seccomp_profile.as_ref());
    Ok(LinuxContainerSecurityContext {
        capabilities: Some(Capability {
            add_capabilities: capabilities.add.unwrap_or_default(),
            drop_capabilities: capabilities.drop.unwrap_or_default(),
        }),
        privileged: is_privileged,
        namespace_options: Some(namespaces(spec)),
        run_as_user: uid.map(number),
        run_as_username: username,
        run_as_group: group.map(number),
        readonly_rootfs: own.read_only_root_filesystem == Some(true),
        supplemental_groups: groups(spec),
        supplemental_groups_policy: groups_policy(spec),
        no_new_privs: own.allow_privilege_escalation == Some(false),
        masked_paths: paths(&MASKED),
        readonly_paths: paths(&READ_ONLY),
        seccomp: Some(seccomp_profile(seccomp, seccomp_root)),
        apparmor: None,
    })
}

fn is_privileged(context: Option<&SecurityContext>) -> bool {
    context.is_some_and(|context| context.privileged == Some(true))
}

fn check_non_root(name: &str, user: Option<i64>, image: &Image) -> Result<(), String> {
    let problem = match (user, image.uid) {
        (Some(0), _) => "container's runAsUser breaks non-root policy".to_owned(),
        (Some(_), _) => return Ok(()),
        (None, Some(0)) => "container has runAsNonRoot and image will run as root".to_owned(),
        (None, Some(_)) => return Ok(()),
        (None, None) if image.username.is_empty() => {
            "container has runAsNonRoot and image will run as root".to_owned()
        }
        (None, None) => format!(
            "container has runAsNonRoot and image has non-numeric user ({}), cannot verify user is non-root",
            image.username
        ),
    };
    Err(format!("{problem} (container: {name})"))
}

fn groups(spec: &PodSpec) -> Vec<i64> {
    let Some(context) = &spec.security_context else {
        return Vec::new();
    };
    let listed = context.supplemental_groups.iter().flatten();
    context.fs_group.iter().chain(listed).copied().collect()
}

fn groups_policy(spec: &PodSpec) -> i32 {
    let context = spec.security_context.as_ref();
    match context.and_then(|context| context.supplemental_groups_policy.as_deref()) {
        Some("Strict") => SupplementalGroupsPolicy::Strict.into(),
        _ => SupplementalGroupsPolicy::Merge.into(),
    }
}

fn seccomp_profile(wanted: Option<&SeccompProfile>, root: &Path) -> SecurityProfile {
    match wanted.map(|wanted| (wanted.type_.as_str(), &wanted.localhost_profile)) {
        Some(("RuntimeDefault", _)) => profile(ProfileType::RuntimeDefault, ""),
        Some(("Localhost", Some(file))) => {
            profile(ProfileType::Localhost, &root.join(file).to_string_lossy())
        }
        _ => profile(ProfileType::Unconfined, ""),
    }
}

fn profile(kind: ProfileType, path: &str) -> SecurityProfile {
    SecurityProfile {
        profile_type: kind.into(),
        localhost_ref: path.to_owned(),
    }
}

fn number(value: i64) -> Int64Value {
    Int64Value { value }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(
        pod: serde_json::Value,
        own: serde_json::Value,
        image: &Image,
    ) -> Result<LinuxContainerSecurityContext, String> {
        let spec: PodSpec = serde_json::from_value(json!({
            "securityContext": pod, "containers": [{"name": "c", "securityContext": own}]
        }))
        .unwrap();
        container(&spec, &spec.containers[0], image, Path::new("/seccomp"))
    }

    #[test]
    fn the_container_overrides_the_pod_and_the_image_comes_last() {
        let image = Image {
            uid: Some(7),
            ..Image::default()
        };
        let user = |pod, own| check(pod, own, &image).unwrap().run_as_user.unwrap().value;
        assert_eq!(user(json!({"runAsUser": 1}), json!({"runAsUser": 2})), 2);
        assert_eq!(user(json!({"runAsUser": 1}), json!({})), 1);
        assert_eq!(user(json!({}), json!({})), 7);
    }

    #[test]
    fn root_is_refused_where_non_root_is_asked_for() {
        let non_root = json!({"runAsNonRoot": true});
        let named = Image {
            username: "www".into(),
            ..Image::default()
        };
        assert!(
            check(non_root.clone(), json!({}), &Image::default())
                .unwrap_err()
                .contains("image will run as root")
        );
        assert!(
            check(non_root.clone(), json!({}), &named)
                .unwrap_err()
                .contains("non-numeric user (www)")
        );
        assert!(check(non_root.clone(), json!({"runAsUser": 0}), &named).is_err());
        assert!(check(non_root, json!({"runAsUser": 5}), &named).is_ok());
    }

    #[test]
    fn privileged_containers_see_everything() {
        let context = check(json!({}), json!({"privileged": true}), &Image::default()).unwrap();
        assert!(context.privileged && context.masked_paths.is_empty());
        let context = check(
            json!({}),
            json!({"allowPrivilegeEscalation": false}),
            &Image::default(),
        )
        .unwrap();
        assert!(context.no_new_privs && !context.masked_paths.is_empty());
    }
}
