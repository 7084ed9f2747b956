//! Who is asking: a chain of authenticators, one per kind of credential.
//!
//! Each looks for its own kind and says nothing about others. The first that recognises the user
//! wins; if none does, the request is anonymous, unless it carried a credential that was wrong:
//! that is 401, never anonymous.

pub mod bootstrap_token;
pub mod in_process;
pub mod review;
pub mod service_account;
pub mod token;
pub mod x509;

use std::sync::Arc;

use async_trait::async_trait;
use http::{header, request::Parts};

use crate::{
    User,
    user::{AUTHENTICATED, UNAUTHENTICATED},
};

/// The key under which a user's [`extra`](User::extra) tells which credential was shown.
pub const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

/// Recognises one kind of credential.
#[async_trait]
pub trait Authenticator: Send + Sync + 'static {
    /// The user, if the request carries a credential of this kind and it is good; `None` if it
    /// carries none.
    async fn authenticate(&self, request: &Parts) -> Result<Option<User>, BadCredential>;
}

/// A credential of a known kind that proves nothing: forged, expired, for another audience.
///
/// The reason is for the log; the client learns only that it is unauthorized.
#[derive(Debug, Clone, thiserror::Error)]
#[error("bad credential: {0}")]
pub struct BadCredential(pub String);

/// The chain of authenticators, and what happens at its end.
#[derive(Clone)]
pub struct Authentication {
    chain: Vec<Arc<dyn Authenticator>>,
}

impl Default for Authentication {
    fn default() -> Self {
        Self::new()
    }
}

impl Authentication {
    /// In-process identities and client certificates.
    pub fn new() -> Self {
        Authentication {
            chain: vec![
                Arc::new(in_process::InProcessIdentity),
                Arc::new(x509::ClientCertificate),
            ],
        }
    }

    /// Asks one more authenticator, after those that are there.
    pub fn with(mut self, authenticator: impl Authenticator) -> Self {
        self.chain.push(Arc::new(authenticator));
        self
    }

    /// The user behind a request, anonymous if it carries no credentials; `None` if it carries bad
    /// ones.
    pub async fn identify(&self, request: &Parts) -> Option<User> {
        let mut refused = false;
        for authenticator in &self.chain {
            match authenticator.authenticate(request).await {
                Ok(Some(user)) => return Some(completed(user)),
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(%error, "authentication failed");
                    refused = true;
                }
            }
        }
        // A token that nobody recognised is a bad credential too.
        if refused || carries_token(request) {
            None
        } else {
            Some(User::anonymous())
        }
    }
}

/// Everybody who is known is in one group.
pub(crate) fn completed(user: User) -> User {
    if user.is_in(UNAUTHENTICATED) {
        user
    } else {
        user.in_group(AUTHENTICATED)
    }
}

fn carries_token(request: &Parts) -> bool {
    let value = request
        .headers
        .get(header::AUTHORIZATION)
        .map(|value| value.as_bytes());
    value.is_some_and(|value| value.len() > 7 && value[..7].eq_ignore_ascii_case(b"bearer "))
}

#[cfg(test)]
mod served_tests;
#[cfg(test)]
mod tests;
