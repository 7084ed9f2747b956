//! Permissions on signers: names of `certificates.k8s.io/signers`, a resource that exists for
//! authorization only.

use std::sync::Arc;

use super::{Attributes, Authorizer, Decision};
use crate::User;

/// Asks who may `approve`, `sign` or `attest` for which signer.
#[derive(Clone)]
pub struct Signers(pub Arc<dyn Authorizer>);

impl Signers {
    /// Whether a user may act for a signer, by its name (`example.com/signer`) or for all of its
    /// domain (`example.com/*`).
    pub async fn may(&self, user: &User, verb: &str, signer: &str) -> bool {
        let domain = signer.split('/').next().unwrap_or_default();
        for name in [signer, &format!("{domain}/*")] {
            let question = Attributes {
                verb,
                group: "certificates.k8s.io",
                resource: "signers",
                name,
                ..Attributes::resource(user)
            };
            if matches!(self.0.authorize(&question).await, Decision::Allow(_)) {
                return true;
            }
        }
        false
    }
}
