//! The trait that every container runtime implements.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use tokio::io::DuplexStream;

use super::{Container, Image, ImageDisk, PodUsage, RuntimeError, Sandbox, api};

/// Who the runtime is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// Such as `containerd`; also the scheme of container ids in a pod's status.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What not every runtime can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Forbids writing to what is mounted below a mount, too.
    pub recursive_read_only: bool,
    /// Mounts images as volumes.
    pub image_volumes: bool,
}

impl Version {
    /// Whether images can be mounted as volumes: runtimes don't say, and those that can't overlook
    /// that they are asked to.
    pub(super) fn mounts_images(&self) -> bool {
        let version = self.version.trim_start_matches('v');
        let mut numbers = version.split(|letter: char| !letter.is_ascii_digit());
        let mut number = || numbers.next().and_then(|text| text.parse::<u32>().ok());
        let version = (number().unwrap_or_default(), number().unwrap_or_default());
        match self.name.as_str() {
            "containerd" => version >= (2, 1),
            "cri-o" => version >= (1, 31),
            _ => true,
        }
    }
}

/// Whether some part of the runtime works, such as `RuntimeReady` or `NetworkReady`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuntimeCondition {
    /// Which part.
    pub type_: String,
    /// Whether it works.
    pub is_true: bool,
    /// Why not, in one word.
    pub reason: String,
    /// Why not.
    pub message: String,
}

/// What a command in a container left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecOutput {
    /// What it wrote to standard output.
    pub stdout: Bytes,
    /// What it wrote to standard error.
    pub stderr: Bytes,
    /// How it ended.
    pub exit_code: i32,
}

/// Which streams of a process are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Streams {
    /// Standard input.
    pub stdin: bool,
    /// Standard output.
    pub stdout: bool,
    /// Standard error; never together with a terminal.
    pub stderr: bool,
    /// A terminal.
    pub tty: bool,
}

/// Where a runtime serves streams: over HTTP, for one request that asks to upgrade, in the protocols of
/// Kubernetes' streaming servers.
#[derive(Debug)]
pub enum StreamServer {
    /// At this URL.
    Url(String),
    /// In this process.
    Pipe(DuplexStream),
}

/// Something changed in the runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// In this pod, given by its uid.
    Pod(String),
    /// In this container or sandbox, given by the runtime's id.
    Container(String),
}

/// Changes as the runtime reports them.
pub type Changes = BoxStream<'static, Change>;

/// A container runtime. All calls may be made concurrently; dropping a call's future may or may not
/// undo it, so whoever gives up on one must look at what is there afterwards.
#[async_trait]
pub trait Runtime: Send + Sync + 'static {
    /// Whether containers only pretend to run: then nothing on the node is prepared for them.
    fn is_simulated(&self) -> bool {
        false
    }
    /// Name and version.
    async fn version(&self) -> Result<Version, RuntimeError>;
    /// What it can do that others can't.
    async fn features(&self) -> Result<Features, RuntimeError>;
    /// What works and what doesn't.
    async fn conditions(&self) -> Result<Vec<RuntimeCondition>, RuntimeError>;
    /// Tells the runtime the range that pod addresses come from.
    async fn set_pod_cidr(&self, cidr: &str) -> Result<(), RuntimeError>;
    /// Changes as they happen; `None` when the runtime must be asked again and again instead. A
    /// stream that ends may be asked for anew.
    async fn changes(&self) -> Option<Changes>;

    /// All sandboxes, or those of one pod (by uid), without addresses.
    async fn sandboxes(&self, pod_uid: Option<&str>) -> Result<Vec<Sandbox>, RuntimeError>;
    /// All containers, or those of one pod (by uid), without times and exit codes.
    async fn containers(&self, pod_uid: Option<&str>) -> Result<Vec<Container>, RuntimeError>;
    /// The addresses of a sandbox, the primary one first.
    async fn sandbox_ips(&self, id: &str) -> Result<Vec<String>, RuntimeError>;
    /// Fills in what lists leave out, and renews the state.
    async fn complete(&self, container: &mut Container) -> Result<(), RuntimeError>;

    /// Makes and starts a sandbox with its network; returns its id.
    async fn run_sandbox(&self, config: &api::PodSandboxConfig) -> Result<String, RuntimeError>;
    /// Kills all that runs in a sandbox and takes its network away. Idempotent.
    async fn stop_sandbox(&self, id: &str) -> Result<(), RuntimeError>;
    /// Removes a sandbox and all its containers. Idempotent.
    async fn remove_sandbox(&self, id: &str) -> Result<(), RuntimeError>;
    /// Makes a container, not started yet; returns its id.
    async fn create_container(
        &self,
        sandbox_id: &str,
        config: &api::ContainerConfig,
        sandbox: &api::PodSandboxConfig,
    ) -> Result<String, RuntimeError>;
    /// Starts a container's process; returns once it runs.
    async fn start_container(&self, id: &str) -> Result<(), RuntimeError>;
    /// Asks a container's process to end, kills it after the grace period, and returns once it is
    /// gone. Idempotent; a second call with a shorter grace period cuts the first one short.
    async fn stop_container(&self, id: &str, grace: Duration) -> Result<(), RuntimeError>;
    /// Removes a container, killing its process if need be. Idempotent.
    async fn remove_container(&self, id: &str) -> Result<(), RuntimeError>;
    /// Gives a running container other resources. What is zero stays as it is.
    async fn update_container(
        &self,
        id: &str,
        resources: &api::LinuxContainerResources,
    ) -> Result<(), RuntimeError>;
    /// Makes the runtime write to the container's log path anew, after a rotation.
    async fn reopen_log(&self, id: &str) -> Result<(), RuntimeError>;

    /// Runs a command in a container to its end, or until the time is up.
    async fn exec_sync(
        &self,
        id: &str,
        command: &[String],
        timeout: Duration,
    ) -> Result<ExecOutput, RuntimeError>;
    /// Prepares a command; returns where its streams are served.
    async fn exec(
        &self,
        id: &str,
        command: &[String],
        streams: Streams,
    ) -> Result<StreamServer, RuntimeError>;
    /// Prepares to attach to a container's process; returns where its streams are served.
    async fn attach(&self, id: &str, streams: Streams) -> Result<StreamServer, RuntimeError>;
    /// Prepares to connect to ports inside a sandbox; returns where the connections are served. The
    /// streaming protocol names a port for each connection; `ports` is for protocols that can't.
    async fn port_forward(
        &self,
        sandbox_id: &str,
        ports: &[u16],
    ) -> Result<StreamServer, RuntimeError>;

    /// What pods with running containers use.
    async fn usage(&self) -> Result<Vec<PodUsage>, RuntimeError>;
    /// Where images are kept; `None` if nowhere.
    async fn image_disk(&self) -> Result<Option<ImageDisk>, RuntimeError>;

    /// The image of a reference (name, digest or id), if the node has it.
    async fn image(&self, reference: &str) -> Result<Option<Image>, RuntimeError>;
    /// All images.
    async fn images(&self) -> Result<Vec<Image>, RuntimeError>;
    /// Fetches an image; returns its reference.
    async fn pull(
        &self,
        reference: &str,
        auth: Option<api::AuthConfig>,
        sandbox: &api::PodSandboxConfig,
    ) -> Result<String, RuntimeError>;
    /// Removes an image. Idempotent.
    async fn remove_image(&self, id: &str) -> Result<(), RuntimeError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_tells_whether_images_can_be_volumes() {
        for (name, version, can) in [
            ("containerd", "1.6.20~ds1", false),
            ("containerd", "v2.0.5", false),
            ("containerd", "2.1.0-rc.0", true),
            ("cri-o", "1.30.2", false),
            ("cri-o", "1.34.0", true),
        ] {
            let version = Version {
                name: name.into(),
                version: version.into(),
            };
            assert_eq!(version.mounts_images(), can, "{version:?}");
        }
    }
}
