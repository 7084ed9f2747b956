//! The identity of a client that lives in the server's own process.

use async_trait::async_trait;
use http::request::Parts;

use super::{Authenticator, BadCredential};
use crate::User;

/// Set on a request by [`crate::ApiServer::client`], and by nothing else: only this crate can make
/// one, and nothing that arrives over the network carries extensions.
#[derive(Debug, Clone)]
pub struct InProcess(User);

impl InProcess {
    pub(crate) fn new(user: User) -> Self {
        InProcess(user)
    }
}

/// Believes [`InProcess`].
#[derive(Debug, Clone, Copy)]
pub struct InProcessIdentity;

#[async_trait]
impl Authenticator for InProcessIdentity {
    async fn authenticate(&self, request: &Parts) -> Result<Option<User>, BadCredential> {
        Ok(request
            .extensions
            .get::<InProcess>()
            .map(|InProcess(user)| user.clone()))
    }
}
