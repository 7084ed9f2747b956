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
use crate::error::Error;

/// The server's certificate and key, and the authority of its clients, all PEM.
#[derive(Clone)]
pub struct ServerTls {
    /// The certificate chain.
    pub certificate: String,
    /// The private key.
    pub key: String,
    /// The authority that clients' certificates must come from.
    pub client_ca: String,
}

impl ServerTls {
    /// Keys for a server.
    pub fn new(
        certificate: impl Into<String>,
        key: impl Into<String>,
        client_ca: impl Into<String>,
    ) -> Self {
        Self {
            certificate: certificate.into(),
            key: key.into(),
            client_ca: client_ca.into(),
        }
    }

    pub(super) fn acceptor(&self) -> Result<TlsAcceptor, Error> {
        let wrong = |what: &str, error: &dyn fmt::Display| Error::Tls(format!("{what}: {error}"));
        let chain =
            certificates(&self.certificate).map_err(|error| wrong("certificate", &error))?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes())
            .map_err(|error| wrong("key", &error))?;
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
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong("protocol versions", &error))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(|error| wrong("certificate", &error))?;
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
