//! Sandboxes, containers and images as a runtime reports them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{api, label};

/// A pod's sandbox: the namespaces that its containers share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sandbox {
    /// The runtime's id.
    pub id: String,
    /// The pod's uid.
    pub pod_uid: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
    /// How many sandboxes the pod had before.
    pub attempt: u32,
    /// Whether its processes and network stand.
    pub is_ready: bool,
    /// When it was made, in nanoseconds since 1970.
    pub created_at: i64,
    /// Its addresses, the primary one first; lists leave them out, and pods on the host's network
    /// have none of their own.
    pub ips: Vec<String>,
}

/// What a container is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContainerState {
    /// Made, but its process was never started.
    #[default]
    Created,
    /// Its process runs.
    Running,
    /// Its process has ended.
    Exited,
    /// The runtime has lost track of it.
    Unknown,
}

/// One run of a container. Lists leave out the times, exit code, reason and message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// The runtime's id.
    pub id: String,
    /// The sandbox that it belongs to.
    pub sandbox_id: String,
    /// The pod's uid.
    pub pod_uid: String,
    /// The container's name in the pod's spec.
    pub name: String,
    /// How often it had been started before.
    pub restart_count: u32,
    /// [`label::fingerprint`] of its spec when it was made.
    pub hash: String,
    /// What it is doing.
    pub state: ContainerState,
    /// When it was made, in nanoseconds since 1970.
    pub created_at: i64,
    /// The image as the runtime names it.
    pub image: String,
    /// The image's digested reference.
    pub image_ref: String,
    /// When its process started.
    pub started_at: Option<Timestamp>,
    /// When its process ended.
    pub finished_at: Option<Timestamp>,
    /// How its process ended.
    pub exit_code: i32,
    /// One word on why it is in its state, such as `OOMKilled`.
    pub reason: String,
    /// More words.
    pub message: String,
    /// `FallbackToLogsOnError` rather than `File`.
    pub falls_back_to_logs: bool,
}

/// An image on the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// The runtime's id: the digest of its configuration.
    pub id: String,
    /// Names with tags.
    pub tags: Vec<String>,
    /// Names with digests.
    pub digests: Vec<String>,
    /// Bytes on disk.
    pub size: u64,
    /// Whether the runtime needs it itself.
    pub is_pinned: bool,
    /// The numeric user that it runs as, if it names one.
    pub uid: Option<i64>,
    /// The named user that it runs as; empty when it names none.
    pub username: String,
}

fn time(nanos: i64) -> Option<Timestamp> {
    (nanos > 0)
        .then(|| Timestamp::from_nanosecond(nanos.into()).ok())
        .flatten()
}

fn take(map: &mut BTreeMap<String, String>, key: &str) -> String {
    map.remove(key).unwrap_or_default()
}

impl From<api::PodSandbox> for Sandbox {
    fn from(sandbox: api::PodSandbox) -> Self {
        let is_ready = sandbox.state() == api::PodSandboxState::SandboxReady;
        let meta = sandbox.metadata.unwrap_or_default();
        Self {
            id: sandbox.id,
            pod_uid: meta.uid,
            namespace: meta.namespace,
            name: meta.name,
            attempt: meta.attempt,
            is_ready,
            created_at: sandbox.created_at,
            ips: Vec::new(),
        }
    }
}

impl From<api::ContainerState> for ContainerState {
    fn from(state: api::ContainerState) -> Self {
        match state {
            api::ContainerState::ContainerCreated => Self::Created,
            api::ContainerState::ContainerRunning => Self::Running,
            api::ContainerState::ContainerExited => Self::Exited,
            api::ContainerState::ContainerUnknown => Self::Unknown,
        }
    }
}

impl From<api::Container> for Container {
    fn from(mut container: api::Container) -> Self {
        let state = container.state().into();
        let labels = &mut container.labels;
        let (name, pod_uid) = (
            take(labels, label::CONTAINER_NAME),
            take(labels, label::POD_UID),
        );
        let attempt = container.metadata.map_or(0, |meta| meta.attempt);
        let annotations = &mut container.annotations;
        Self {
            id: container.id,
            sandbox_id: container.pod_sandbox_id,
            pod_uid,
            name,
            restart_count: take(annotations, label::RESTART_COUNT)
                .parse()
                .unwrap_or(attempt),
            hash: take(annotations, label::HASH),
            falls_back_to_logs: take(annotations, label::TERMINATION_POLICY)
                == "FallbackToLogsOnError",
            state,
            created_at: container.created_at,
            image: container.image.unwrap_or_default().image,
            image_ref: container.image_ref,
            ..Self::default()
        }
    }
}

impl Container {
    /// Adds what only the runtime's status call tells.
    pub(super) fn complete(&mut self, status: api::ContainerStatus) {
        self.state = status.state().into();
        self.started_at = time(status.started_at);
        self.finished_at = time(status.finished_at);
        self.exit_code = status.exit_code;
        self.reason = status.reason;
        self.message = status.message;
        self.image_ref = status.image_ref;
        if let Some(image) = status.image.filter(|image| !image.image.is_empty()) {
            self.image = image.image;
        }
    }
}

impl From<api::Image> for Image {
    fn from(image: api::Image) -> Self {
        Self {
            id: image.id,
            tags: image.repo_tags,
            digests: image.repo_digests,
            size: image.size,
            is_pinned: image.pinned,
            uid: image.uid.map(|uid| uid.value),
            username: image.username,
        }
    }
}
