//! Volumes: one plugin a file, on one trait.
//!
//! What each pod wants (`desired`) is held against what is there (`actual`, which an agent that
//! starts rebuilds from the disk), and `reconcile` says purely what has to happen; [`Volumes`] does
//! it. A volume is set up in a directory of its own under the pod's, made before anything is mounted
//! there and removed after it is unmounted: so a plugin leaves nothing behind that the next agent
//! doesn't find, after a crash too.

mod actual;
mod atomic;
mod claim;
mod config_map;
pub mod csi;
mod desired;
mod downward_api;
mod empty_dir;
mod failure;
mod host_path;
mod image;
mod local;
mod manager;
pub(crate) mod mount;
mod ownership;
mod payload;
mod projected;
mod reconcile;
mod secret;
mod spec;
mod state;
mod sub_path;
mod token;
mod trust_bundle;
mod usage;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Pod;
use k8s_runtime::EventRecorder;

use crate::source::{Objects, SourceError};
use ownership::Ownership;

pub use desired::Device;
pub use failure::Failure;
pub use manager::{Mounted, Volumes};
pub use spec::{Persistent, Spec};
pub(crate) use sub_path::bind_parts;
pub use token::Tokens;
pub(crate) use usage::VolumeUsage;

/// A volume that can't be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VolumeError {
    /// What it shows can't be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The spec asks for something that isn't there or can't be.
    #[error("{0}")]
    Invalid(String),
    /// The driver refused or failed.
    #[error(transparent)]
    Driver(#[from] csi::DriverError),
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// How.
        source: io::Error,
    },
}

impl VolumeError {
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

/// What all plugins of a node share.
pub struct Host {
    /// The agent's root directory.
    pub root: PathBuf,
    /// The node's name.
    pub node: String,
    /// The API, as the node.
    pub client: kube::Client,
    /// The API's objects that are followed.
    pub objects: Objects,
    /// The tokens of pods' accounts.
    pub tokens: Tokens,
    /// The drivers that made themselves known.
    pub drivers: Arc<csi::Drivers>,
    /// Tells users about their pods.
    pub recorder: EventRecorder,
    /// What containers that limit nothing may use: millicores and bytes.
    pub allocatable: (i64, i64),
}

/// What a plugin works with.
pub struct Setup<'a> {
    /// The pod.
    pub pod: &'a Pod,
    /// What is to be mounted.
    pub spec: &'a Spec,
    /// The volume's own directory; not made yet.
    pub dir: &'a Path,
    /// What the node has.
    pub host: &'a Host,
    /// What whoever attached the device to the node said about it.
    pub attached: BTreeMap<String, String>,
}

impl Setup<'_> {
    pub(crate) fn namespace(&self) -> &str {
        self.pod.metadata.namespace.as_deref().unwrap_or_default()
    }

    pub(crate) fn pod_uid(&self) -> &str {
        self.pod.metadata.uid.as_deref().unwrap_or_default()
    }

    /// Whom the files shall belong to.
    fn ownership(&self) -> Option<Ownership> {
        Ownership::of_pod(self.pod)
    }

    /// How large a volume in memory may become.
    fn memory(&self) -> i64 {
        empty_dir::memory(self.pod, self.host.allocatable.1, None)
    }
}

/// A volume as containers get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountedVolume {
    /// Where it is on the node.
    pub path: PathBuf,
    /// Whether it may not be written to.
    pub is_read_only: bool,
    /// Whether it is the pod's own, so that it may be labelled for the pod.
    pub is_managed: bool,
    /// The image that the runtime mounts in its place.
    pub image: Option<String>,
}

impl MountedVolume {
    /// A volume of the pod's own.
    pub(crate) fn managed(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            is_read_only: false,
            is_managed: true,
            image: None,
        }
    }
}

/// A kind of volume.
#[async_trait]
pub trait Plugin: Send + Sync {
    /// Its name on disk, such as `kubernetes.io~configmap`.
    fn name(&self) -> &'static str;
    /// Whether it serves the volume.
    fn serves(&self, spec: &Spec) -> bool;
    /// Whether the contents follow the API while the pod runs: then `set_up` is called again.
    fn is_live(&self) -> bool {
        false
    }
    /// What has to be brought to the node before the pod is given its volume.
    fn device(&self, _spec: &Spec) -> Option<Device> {
        None
    }
    /// Whether somebody else attaches the device to the node.
    async fn is_attached(&self, _setup: &Setup<'_>) -> Result<bool, VolumeError> {
        Ok(false)
    }
    /// Whether the volume can be had at all, before anything is done.
    fn check(&self, _spec: &Spec) -> Result<(), VolumeError> {
        Ok(())
    }
    /// Waits until the device is attached to the node; returns what was said about it.
    async fn attached(&self, _setup: &Setup<'_>) -> Result<BTreeMap<String, String>, VolumeError> {
        Ok(BTreeMap::new())
    }
    /// Brings the device to the node, for all pods that use it. Never called for the same device
    /// twice at a time. Idempotent.
    async fn stage(&self, _setup: &Setup<'_>) -> Result<(), VolumeError> {
        Ok(())
    }
    /// Sets the volume up, or brings it up to date; returns what to mount. Idempotent.
    async fn set_up(&self, setup: &Setup<'_>) -> Result<MountedVolume, VolumeError>;
    /// Takes the volume down that is in this directory, perhaps only half, and removes it. Knows
    /// nothing but what lies there. Idempotent.
    async fn tear_down(&self, _host: &Host, dir: &Path) -> Result<(), VolumeError> {
        mount::remove(dir)
    }
    /// Takes a device from the node that no pod uses. Never called while it is staged. Idempotent.
    async fn unstage(&self, _host: &Host, _device: &Device) -> Result<(), VolumeError> {
        Ok(())
    }
    /// Brings a volume that a pod uses up to date with its claim.
    async fn refresh(&self, _setup: &Setup<'_>) -> Result<(), VolumeError> {
        Ok(())
    }
}

/// All kinds.
pub(crate) fn plugins() -> Vec<Box<dyn Plugin>> {
    vec![
        Box::new(empty_dir::EmptyDir),
        Box::new(host_path::HostPath),
        Box::new(config_map::ConfigMapVolume),
        Box::new(secret::SecretVolume),
        Box::new(downward_api::DownwardApi),
        Box::new(projected::Projected),
        Box::new(local::LocalVolume),
        Box::new(csi::CsiVolume),
        Box::new(image::ImageVolume),
    ]
}
