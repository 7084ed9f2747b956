//! What can go wrong in the framework itself; reconcilers bring error types of their own.

/// A failure of a [`Manager`](crate::Manager) or [`LeaderElector`](crate::LeaderElector).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process took the lease, or it couldn't be renewed in time: what ran under it has
    /// been stopped.
    #[error("lost the lease {lease}")]
    LeaseLost {
        /// `namespace/name` of the lease.
        lease: String,
    },
    /// A component panicked; the others were stopped.
    #[error("component {name} panicked")]
    Panicked {
        /// The name that it was added under.
        name: String,
    },
}
