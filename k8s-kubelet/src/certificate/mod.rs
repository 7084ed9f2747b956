//! The agent's own certificates: the one it calls the API with, and the one it serves with.
//!
//! Each lies with its key in one file, is asked for by a CertificateSigningRequest, and is replaced in good time
//! without a restart: what uses it asks a [`Certificate`] at every handshake. Who approves and signs is not decided
//! here. For the first client certificate the request is made with a bootstrap token; any client will do.

mod bundle;
mod order;
mod request;
mod rotation;

use std::{
    fmt, io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use jiff::Timestamp;
use rustls::{
    SignatureScheme,
    client::ResolvesClientCert,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use self::bundle::Bundle;

/// What a node's certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Calling the API as `system:node:<name>`.
    Client,
    /// Serving logs, exec and the rest at these addresses, and under the node's name.
    Serving(Vec<IpAddr>),
}

/// Why there is no new certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The request was answered with no.
    #[error("certificate request {name} was {what}: {message}")]
    Refused {
        /// The request.
        name: String,
        /// Denied or failed.
        what: &'static str,
        /// Why, as whoever decided put it.
        message: String,
    },
    /// The API can't be asked.
    #[error("the API")]
    Api(#[from] kube::Error),
    /// The request's state can't be followed.
    #[error("following the request")]
    Wait(#[from] kube::runtime::wait::Error),
    /// The file can't be written.
    #[error("{}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Key or certificate are not what they should be.
    #[error("{0}")]
    Malformed(String),
}

/// A certificate that may be replaced while it is used. Cheap to clone.
#[derive(Clone)]
pub struct Certificate(Arc<Shared>);

struct Shared {
    node: String,
    purpose: Purpose,
    path: PathBuf,
    current: RwLock<Option<Bundle>>,
}

impl Certificate {
    /// A node's certificate that is kept in this file: what is there already, if it can be read.
    pub fn open(node: impl Into<String>, purpose: Purpose, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let current = match Bundle::read(&path) {
            Ok(bundle) => Some(bundle),
            Err(CertificateError::File { source, .. })
                if source.kind() == io::ErrorKind::NotFound =>
            {
                None
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "asking for a new certificate");
                None
            }
        };
        Certificate(Arc::new(Shared {
            node: node.into(),
            purpose,
            path,
            current: RwLock::new(current),
        }))
    }

    /// Whether there is one that is valid at a time.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        let current = self.read();
        current
            .as_ref()
            .is_some_and(|bundle| bundle.not_before <= now && now < bundle.not_after)
    }

    /// Where it is kept.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Option<Bundle>> {
        self.0
            .current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes it to the file, and uses it from the next handshake on.
    fn replace(&self, bundle: Bundle) -> Result<(), CertificateError> {
        bundle.write(&self.0.path)?;
        let mut current = self
            .0
            .current
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *current = Some(bundle);
        Ok(())
    }

    fn key(&self) -> Option<Arc<CertifiedKey>> {
        self.read().as_ref().map(|bundle| bundle.key.clone())
    }
}

/// Keys stay out of logs.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("node", &self.0.node)
            .field("purpose", &self.0.purpose)
            .finish_non_exhaustive()
    }
}

impl ResolvesClientCert for Certificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.key()
    }

    fn has_certs(&self) -> bool {
        self.read().is_some()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.key()
    }
}
