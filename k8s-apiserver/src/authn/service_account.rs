//! Service-account tokens: issued, published, checked.
//!
//! [`TokenIssuer`] signs claims about an account and what its token is bound to; it decides nothing
//! about who may have one. [`Checker`] believes a token only while all that it names still exists.
//! [`Discovery`] tells others how to verify tokens by themselves.

mod bound;
mod check;
mod claims;
mod discovery;
mod issuer;
mod jwt;
mod legacy;

pub use check::Checker;
pub use claims::{Bound, Reference};
pub use discovery::Discovery;
pub use issuer::{Grant, TokenIssuer};

use k8s_apimachinery::Object;

/// What tokens are checked against: the newest objects of the core group.
pub trait CoreObjects: Send + Sync + 'static {
    /// One object of a resource (`pods`); a cluster-scoped one has an empty namespace.
    fn object(&self, resource: &str, namespace: &str, name: &str) -> Option<Object>;
}

/// How long a pod may run with the token of the volume that admission adds, in seconds. Whoever
/// asks for exactly this gets a token that lives longer and warns when it is used later than that:
/// clients that never read the file again go on working.
pub const INJECTED_EXPIRATION: i64 = 3607;

#[cfg(test)]
mod tests;
