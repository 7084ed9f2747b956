//! Volumes: one plugin a file, on one trait.
//!
//! A volume is set up in a directory of its own under the pod's, and taken down by unmounting what
//! the mount table shows below it and removing the directory; so a plugin leaves nothing behind that
//! [`Volumes::tear_down`] doesn't find, after a crash too.

mod atomic;
mod config_map;
mod downward_api;
mod empty_dir;
mod host_path;
mod manager;
pub(crate) mod mount;
mod payload;
mod projected;
mod secret;
mod sub_path;
mod token;

use std::{
    io,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use k8s_openapi::api::core::v1::{Pod, Volume};

use crate::source::{Objects, SourceError};

pub use manager::{Mounted, Volumes};
pub use sub_path::sub_path;
pub use token::Tokens;

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

/// What a plugin works with.
pub struct Setup<'a> {
    /// The pod.
    pub pod: &'a Pod,
    /// The volume in the pod's spec.
    pub volume: &'a Volume,
    /// The volume's own directory; not made yet.
    pub dir: &'a Path,
    /// The API's objects.
    pub objects: &'a Objects,
    /// The tokens of pods' accounts.
    pub tokens: &'a Tokens,
    /// What containers that limit nothing may use: millicores and bytes.
    pub allocatable: (i64, i64),
}

impl Setup<'_> {
    pub(crate) fn namespace(&self) -> &str {
        self.pod.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// The group that shall own the files.
    pub(crate) fn fs_group(&self) -> Option<u32> {
        let context = self.pod.spec.as_ref()?.security_context.as_ref()?;
        context.fs_group.and_then(|group| u32::try_from(group).ok())
    }
}

/// A kind of volume.
#[async_trait]
pub trait Plugin: Send + Sync {
    /// Its name on disk, such as `kubernetes.io~configmap`.
    fn name(&self) -> &'static str;
    /// Whether it serves the volume.
    fn serves(&self, volume: &Volume) -> bool;
    /// Whether the contents follow the API while the pod runs: then `set_up` is called again.
    fn is_live(&self) -> bool {
        false
    }
    /// Sets the volume up, or brings it up to date; returns the path to mount. Idempotent.
    async fn set_up(&self, setup: &Setup<'_>) -> Result<PathBuf, VolumeError>;
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
    ]
}
