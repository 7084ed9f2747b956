//! What the runtime is told about a container. Pure, once volumes are mounted and the environment's
//! objects fetched.

use std::{collections::BTreeMap, path::Path};

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};

use super::{env, ephemeral, security};
use crate::{
    cri::{
        Image,
        api::{
            ContainerConfig, ContainerMetadata, ImageSpec, KeyValue, LinuxContainerConfig, Mount,
            MountPropagation,
        },
        label,
    },
    resource::limit,
    volume::{Mounted, sub_path},
};

/// Where containers write their last words unless they say otherwise.
pub(crate) const TERMINATION_PATH: &str = "/dev/termination-log";
const HOSTS: &str = "/etc/hosts";

/// What a container is made from beside its spec.
pub(crate) struct Parts<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) spec: &'a PodSpec,
    pub(crate) restart_count: u32,
    pub(crate) image: &'a Image,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) mounted: &'a Mounted,
    /// The runtime's id of the container whose processes this one is to see.
    pub(crate) target: Option<String>,
    /// The pod's /etc/hosts on the node.
    pub(crate) hosts: &'a Path,
    /// Where on the node the last words go.
    pub(crate) last_words: &'a Path,
    pub(crate) seccomp_root: &'a Path,
    /// The node's memory in bytes.
    pub(crate) memory: i64,
}

/// The container's configuration, or why there can't be one.
pub(crate) fn config(container: &Container, parts: Parts<'_>) -> Result<ContainerConfig, String> {
    let lookup = |name: &str| {
        let mut env = parts.env.iter();
        env.find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    };
    let expanded = |list: &Option<Vec<String>>| -> Vec<String> {
        list.iter()
            .flatten()
            .map(|text| env::expand(text, lookup))
            .collect()
    };
    let count = parts.restart_count;
    let mut security = security::container(parts.spec, container, parts.image, parts.seccomp_root)?;
    if let Some(target) = &parts.target {
        security::join(&mut security, target);
    }
    let mounts = mounts(container, &parts, &lookup)?;
    Ok(ContainerConfig {
        metadata: Some(ContainerMetadata {
            name: container.name.clone(),
            attempt: count,
        }),
        image: Some(ImageSpec {
            image: parts.image.id.clone(),
            user_specified_image: container.image.clone().unwrap_or_default(),
            ..ImageSpec::default()
        }),
        command: expanded(&container.command),
        args: expanded(&container.args),
        working_dir: container.working_dir.clone().unwrap_or_default(),
        mounts,
        devices: Vec::new(),
        labels: label::container_labels(parts.pod, container),
        annotations: annotations(container, parts.spec, count),
        log_path: format!("{}/{count}.log", container.name),
        stdin: container.stdin == Some(true),
        stdin_once: container.stdin_once == Some(true),
        tty: container.tty == Some(true),
        linux: Some(LinuxContainerConfig {
            resources: Some(limit::container_limits(parts.pod, container, parts.memory)),
            security_context: Some(security),
        }),
        envs: parts
            .env
            .into_iter()
            .map(|(key, value)| KeyValue { key, value })
            .collect(),
    })
}

fn annotations(
    container: &Container,
    spec: &PodSpec,
    restart_count: u32,
) -> BTreeMap<String, String> {
    let path = container.termination_message_path.as_deref();
    let policy = container.termination_message_policy.as_deref();
    let grace = spec.termination_grace_period_seconds.unwrap_or(30);
    let pair = |key: &str, value: String| (key.to_owned(), value);
    BTreeMap::from([
        pair(label::RESTART_COUNT, restart_count.to_string()),
        pair(label::HASH, label::fingerprint(container)),
        pair(
            label::TERMINATION_PATH,
            path.unwrap_or(TERMINATION_PATH).to_owned(),
        ),
        pair(
            label::TERMINATION_POLICY,
            policy.unwrap_or("File").to_owned(),
        ),
        pair(label::GRACE_PERIOD, grace.to_string()),
        pair(
            label::RESTART_POLICY,
            restart_policy(container, spec).to_owned(),
        ),
    ])
}

fn restart_policy<'a>(container: &'a Container, spec: &'a PodSpec) -> &'a str {
    let mut init = spec.init_containers.iter().flatten();
    let is_init = init.any(|other| other.name == container.name);
    match container.restart_policy.as_deref() {
        Some(own) => own,
        None if ephemeral::is_ephemeral(spec, &container.name) => "Never",
        None if is_init => "OnFailure",
        None => spec.restart_policy.as_deref().unwrap_or("Always"),
    }
}

fn mounts(
    container: &Container,
    parts: &Parts<'_>,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Mount>, String> {
    let mut mounts = Vec::new();
    for wanted in container.volume_mounts.iter().flatten() {
        let missing = || {
            format!(
                "cannot find volume \"{}\" to mount into container \"{}\"",
                wanted.name, container.name
            )
        };
        let volume = parts.mounted.get(&wanted.name).ok_or_else(missing)?;
        let part = match (&wanted.sub_path, &wanted.sub_path_expr) {
            (Some(part), _) if !part.is_empty() => Some(part.clone()),
            (_, Some(text)) if !text.is_empty() => Some(env::expand(text, lookup)),
            _ => None,
        };
        let path = match part {
            Some(part) => sub_path(volume, &part).map_err(|error| {
                format!(
                    "failed to prepare subPath for volumeMount \"{}\" of container \"{}\": {error}",
                    wanted.name, container.name
                )
            })?,
            None => volume.clone(),
        };
        let propagation = match wanted.mount_propagation.as_deref() {
            Some("HostToContainer") => MountPropagation::PropagationHostToContainer,
            Some("Bidirectional") => MountPropagation::PropagationBidirectional,
            _ => MountPropagation::PropagationPrivate,
        };
        mounts.push(Mount {
            readonly: wanted.read_only == Some(true),
            propagation: propagation.into(),
            ..bind(&path, &wanted.mount_path)
        });
    }
    let is_taken = |path: &str| {
        let mut taken = container.volume_mounts.iter().flatten();
        taken.any(|mount| mount.mount_path == path)
    };
    if !is_taken(HOSTS) {
        mounts.push(bind(parts.hosts, HOSTS));
    }
    let last_words = container
        .termination_message_path
        .as_deref()
        .unwrap_or(TERMINATION_PATH);
    if !last_words.is_empty() {
        mounts.push(bind(parts.last_words, last_words));
    }
    Ok(mounts)
}

fn bind(host: &Path, container: &str) -> Mount {
    let container = if container.starts_with('/') {
        container.to_owned()
    } else {
        format!("/{container}")
    };
    Mount {
        container_path: container,
        host_path: host.to_string_lossy().into_owned(),
        ..Mount::default()
    }
}
