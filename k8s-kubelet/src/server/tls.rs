//! The server's keys, and the certificates of its callers.

use std::{fmt, sync::Arc};

use rustls::{
    RootCertStore, ServerConfig, ServerConnection,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio_rustls::TlsAcceptor;

use super::access::Identity;
use crate::{certificate::Certificate, error::Error};

/// The server's certificate and key, and the authority that clients' certificates must come from.
#[derive(Clone)]
pub struct ServerTls {
    keys: Keys,
    /// PEM.
    client_ca: String,
}

#[derive(Clone)]
enum Keys {
    /// Certificate chain and key, both PEM.
    Fixed { certificate: String, key: String },
    /// Whatever is there at the handshake; as long as nothing is, callers are turned away.
    Followed(Certificate),
}

impl ServerTls {
    /// Keys for a server, all PEM.
    pub fn new(
        certificate: impl Into<String>,
        key: impl Into<String>,
        client_ca: impl Into<String>,
    ) -> Self {
        Self {
            keys: Keys::Fixed {
                certificate: certificate.into(),
                key: key.into(),
            },
            client_ca: client_ca.into(),
        }
    }

    /// Keys that are replaced while the server runs; the authority is PEM.
    pub fn following(certificate: Certificate, client_ca: impl Into<String>) -> Self {
        Self {
            keys: Keys::Followed(certificate),
            client_ca: client_ca.into(),
        }
    }

    pub(super) fn acceptor(&self) -> Result<TlsAcceptor, Error> {
        let wrong = |what: &str, error: &dyn fmt::Display| Error::Tls(format!("{what}: {error}"));
        let mut roots = RootCertStore::empty();
        for root in certificates(&self.client_ca).map_err(|error| wrong("client CA", &error))? {
            roots
                .add(root)
                .map_err(|error| wrong("client CA", &error))?;
        }
        let provider = Arc::new(ring::default_provider());
        // Who has no certificate may have a token.
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
            .allow_unauthenticated()
            .build()
            .map_err(|error| wrong("client CA", &error))?;
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong("protocol versions", &error))?
            .with_client_cert_verifier(verifier);
        let mut config = match &self.keys {
            Keys::Followed(certificate) => config.with_cert_resolver(Arc::new(certificate.clone())),
            Keys::Fixed { certificate, key } => {
                let chain =
                    certificates(certificate).map_err(|error| wrong("certificate", &error))?;
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
                    .map_err(|error| wrong("key", &error))?;
                config
                    .with_single_cert(chain, key)
                    .map_err(|error| wrong("certificate", &error))?
            }
        };
        // Upgrades need HTTP/1.1.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, rustls::pki_types::pem::Error> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).collect()
}

/// Whom a connection's certificate stands for.
pub(super) fn identity(connection: &ServerConnection) -> Option<Identity> {
    let certificate = connection.peer_certificates()?.first()?;
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Identity::of_certificate(&certificate)
}
