//! What keeps a server from starting.

use std::{io, net::SocketAddr};

/// Why DNS can't serve.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cluster's domain is no domain name.
    #[error("{0} is no domain name")]
    Domain(String),
    /// The address is taken, or not this machine's.
    #[error("cannot listen on {address}")]
    Bind {
        /// Where it was to listen.
        address: SocketAddr,
        /// The system's reason.
        #[source]
        error: io::Error,
    },
}
