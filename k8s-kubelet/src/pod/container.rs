//! What the runtime is told about a container. Pure, once volumes are mounted and the environment's
//! objects fetched.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};

use super::{env, ephemeral, security};
use crate::{
    cri::{
        Image,
        api::{
            ContainerConfig, ContainerMetadata, Device, ImageSpec, KeyValue, LinuxContainerConfig,
            Mount, MountPropagation,
        },
        label,
    },
    resource::limit,
    volume::Mounted,
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
    /// Where the parts of volumes are bound that the container wants, by its mounts' places.
    pub(crate) parts: BTreeMap<usize, PathBuf>,
    /// What the runtime has of the images that volumes show, by reference.
    pub(crate) images: &'a BTreeMap<String, String>,
    /// The runtime's id of the container whose processes this one is to see.
    pub(crate) target: Option<String>,
    /// The pod's /etc/hosts on the node.
    pub(crate) hosts: &'a Path,
    /// Where on the node the last words go.
    pub(crate) last_words: &'a Path,
    pub(crate) seccomp_root: &'a Path,
    /// Whether the runtime can forbid writing to what is mounted below a mount, too.
    pub(crate) can_recursive_read_only: bool,
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
    let mounts = mounts(container, &parts)?;
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
        devices: devices(container, parts.mounted)?,
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

fn mounts(container: &Container, parts: &Parts<'_>) -> Result<Vec<Mount>, String> {
    let mut mounts = Vec::new();
    for (index, wanted) in container.volume_mounts.iter().flatten().enumerate() {
        let missing = || {
            format!(
                "cannot find volume \"{}\" to mount into container \"{}\"",
                wanted.name, container.name
            )
        };
        let volume = parts.mounted.get(&wanted.name).ok_or_else(missing)?;
        let path = parts.parts.get(&index).unwrap_or(&volume.path);
        let propagation = match wanted.mount_propagation.as_deref() {
            Some("HostToContainer") => MountPropagation::PropagationHostToContainer,
            Some("Bidirectional") => MountPropagation::PropagationBidirectional,
            _ => MountPropagation::PropagationPrivate,
        };
        let image = volume.image.as_ref().map(|reference| ImageSpec {
            image: parts.images.get(reference).cloned().unwrap_or_default(),
            user_specified_image: reference.clone(),
            ..ImageSpec::default()
        });
        let is_read_only = wanted.read_only == Some(true) || volume.is_read_only;
        let recursive = wanted.recursive_read_only.as_deref();
        if recursive == Some("Enabled") && !parts.can_recursive_read_only {
            return Err(format!(
                "failed to resolve recursive read-only mode: volume \"{}\" requested recursive read-only mode, \
                 but it is not supported by the runtime",
                wanted.name
            ));
        }
        let image_sub_path = match image {
            Some(_) => wanted.sub_path.clone().unwrap_or_default(),
            None => String::new(),
        };
        mounts.push(Mount {
            readonly: is_read_only,
            recursive_read_only: is_read_only
                && parts.can_recursive_read_only
                && matches!(recursive, Some("Enabled" | "IfPossible")),
            propagation: propagation.into(),
            selinux_relabel: volume.is_managed,
            image,
            image_sub_path,
            ..bind(path, &wanted.mount_path)
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

/// The parts of volumes that a container wants, by its mounts' places: the volume and the path in it.
pub(crate) fn parts(
    container: &Container,
    env: &[(String, String)],
) -> Result<BTreeMap<usize, (String, String)>, String> {
    let mut parts = BTreeMap::new();
    for (index, wanted) in container.volume_mounts.iter().flatten().enumerate() {
        let part = match (&wanted.sub_path, &wanted.sub_path_expr) {
            (Some(part), _) if !part.is_empty() => part.clone(),
            (_, Some(text)) if !text.is_empty() => expand_all(text, env)?,
            _ => continue,
        };
        parts.insert(index, (wanted.name.clone(), part));
    }
    Ok(parts)
}

/// A path names what exists: a variable that doesn't is no part of it.
fn expand_all(text: &str, env: &[(String, String)]) -> Result<String, String> {
    let missing = std::cell::RefCell::new(None);
    let expanded = env::expand(text, |name| {
        let found = env.iter().find(|(known, _)| known == name);
        if found.is_none() {
            *missing.borrow_mut() = Some(name.to_owned());
        }
        found.map(|(_, value)| value.clone())
    });
    match missing.into_inner() {
        Some(name) => Err(format!("missing value for {name:?}")),
        None => Ok(expanded),
    }
}

/// The volumes that the container gets as devices.
fn devices(container: &Container, mounted: &Mounted) -> Result<Vec<Device>, String> {
    let wanted = container.volume_devices.iter().flatten();
    wanted
        .map(|wanted| {
            let volume = mounted.get(&wanted.name).ok_or_else(|| {
                format!(
                    "cannot find volume \"{}\" to pass into container \"{}\"",
                    wanted.name, container.name
                )
            })?;
            Ok(Device {
                container_path: wanted.device_path.clone(),
                host_path: volume.path.to_string_lossy().into_owned(),
                permissions: if volume.is_read_only { "r" } else { "mrw" }.to_owned(),
            })
        })
        .collect()
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
