//! The identity in a client certificate: common name = user, organizations = groups.
//!
//! The handshake proves that the client holds the certificate's key; whether our CA signed it is
//! checked once per connection by `Peer::verify`, and whether it is still valid once per request.
//! A certificate that we don't trust is thus a 401 that a client can read, as in Kubernetes, and
//! not a broken handshake.

use std::{sync::Arc, time::SystemTime};

use async_trait::async_trait;
use http::request::Parts;
use rustls::{
    pki_types::{CertificateDer, UnixTime},
    server::danger::ClientCertVerifier,
};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

use super::{Authenticator, BadCredential, CREDENTIAL_ID};
use crate::User;

/// The other end of a TLS connection that showed a certificate. In the extensions of its requests,
/// made by the server.
#[derive(Debug, Clone)]
pub struct Peer(Arc<Result<Identity, BadCredential>>);

#[derive(Debug)]
struct Identity {
    user: User,
    not_after: i64,
}

impl Peer {
    /// Checks a chain, leaf first, against the trusted authorities.
    pub(crate) fn verify(chain: &[CertificateDer<'_>], trusted: &dyn ClientCertVerifier) -> Self {
        Peer(Arc::new(identity(chain, trusted)))
    }
}

/// Reads [`Peer`].
#[derive(Debug, Clone, Copy)]
pub struct ClientCertificate;

#[async_trait]
impl Authenticator for ClientCertificate {
    async fn authenticate(&self, request: &Parts) -> Result<Option<User>, BadCredential> {
        let Some(Peer(outcome)) = request.extensions.get::<Peer>() else {
            return Ok(None);
        };
        let identity = outcome.as_ref().as_ref().map_err(BadCredential::clone)?;
        if identity.not_after < now() {
            return Err(BadCredential(
                "the client certificate has expired".to_owned(),
            ));
        }
        Ok(Some(identity.user.clone()))
    }
}

fn identity(
    chain: &[CertificateDer<'_>],
    trusted: &dyn ClientCertVerifier,
) -> Result<Identity, BadCredential> {
    let bad = |error: &dyn std::fmt::Display| BadCredential(format!("client certificate: {error}"));
    let (leaf, intermediates) = chain
        .split_first()
        .ok_or_else(|| bad(&"the chain is empty"))?;
    trusted
        .verify_client_cert(leaf, intermediates, UnixTime::now())
        .map_err(|error| bad(&error))?;
    let (_, certificate) = X509Certificate::from_der(leaf).map_err(|error| bad(&error))?;
    let mut user =
        user(certificate.subject()).ok_or_else(|| bad(&"the subject has no common name"))?;
    let digest = Sha256::digest(leaf);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let id = vec![format!("X509SHA256={digest}")];
    user.extra.insert(CREDENTIAL_ID.to_owned(), id);
    Ok(Identity {
        user,
        not_after: certificate.validity().not_after.timestamp(),
    })
}

fn user(subject: &X509Name<'_>) -> Option<User> {
    let name = subject
        .iter_common_name()
        .next()?
        .as_str()
        .ok()
        .filter(|name| !name.is_empty())?;
    let groups = subject
        .iter_organization()
        .filter_map(|group| group.as_str().ok());
    Some(groups.fold(User::new(name), User::in_group))
}

/// Seconds since the epoch.
fn now() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn authenticate(not_after: i64) -> Result<Option<User>, BadCredential> {
        let identity = Identity {
            user: User::new("jane"),
            not_after,
        };
        let request = http::Request::builder().extension(Peer(Arc::new(Ok(identity))));
        ClientCertificate
            .authenticate(&request.body(()).unwrap().into_parts().0)
            .await
    }

    #[tokio::test]
    async fn a_certificate_that_expires_on_an_open_connection_is_no_longer_good() {
        assert_eq!(
            authenticate(now() + 60).await.unwrap(),
            Some(User::new("jane"))
        );
        let expired = authenticate(now() - 1).await.unwrap_err();
        assert_eq!(
            expired.to_string(),
            "bad credential: the client certificate has expired"
        );
    }

    #[tokio::test]
    async fn a_connection_without_a_certificate_says_nothing() {
        let (parts, ()) = http::Request::new(()).into_parts();
        assert_eq!(ClientCertificate.authenticate(&parts).await.unwrap(), None);
    }
}
