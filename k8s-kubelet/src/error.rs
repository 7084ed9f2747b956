//! Why an agent can't run.

use std::{io, net::SocketAddr, path::PathBuf};

use crate::{cri::RuntimeError, eviction::ThresholdError, resource::CgroupError};

/// A failure that stops an agent at its start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The container runtime doesn't answer.
    #[error("container runtime: {0}")]
    Runtime(#[from] RuntimeError),
    /// The cgroup root can't be made.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// The agent's root directory can't be used.
    #[error("root directory {}: {source}", path.display())]
    Root {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Eviction thresholds that say nothing.
    #[error("eviction: {0}")]
    Eviction(#[from] ThresholdError),
    /// The agent's server can't listen.
    #[error("listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The server's keys or certificates are unusable.
    #[error("server keys: {0}")]
    Tls(String),
    /// Traces of pods can't be removed.
    #[error("teardown: {0}")]
    Teardown(String),
}
