//! Addresses and ports that no two services may share.
//!
//! Each one that is taken is a key of its own; an address is an `IPAddress`, so that everybody can see who has it.
//! Taking it is part of the service's own transaction, which compares that
//! the key is absent; giving it back is part of the transaction that removes it from the service. So there is nothing to
//! repair after a crash, and of two services that race for an address one decides again.

mod cluster_ip;
mod node_port;
mod pool;
mod service;

use crate::error::Cause;

pub(super) use service::missing_claim;
pub use service::{carry_over, effects};

/// Why a service doesn't get what it needs.
enum Refusal {
    /// It asks for what it can't have.
    Invalid(Cause),
    /// It asks for any, and there is none left. Or its health check's port can't be had.
    Exhausted(String),
}

impl From<Cause> for Refusal {
    fn from(cause: Cause) -> Self {
        Refusal::Invalid(cause)
    }
}
