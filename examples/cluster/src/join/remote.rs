//! The client of a node: TLS with a certificate that may be replaced while it runs.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use hyper_util::{
    client::legacy::{Client as Http, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use k8s_kubelet::certificate::Certificate;
use kube::{Client, client::middleware::BaseUriLayer};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use tower::ServiceBuilder;

/// How long a connection may take, and how long a silent one is asked whether it lives.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client of the server that shows the certificate and trusts nobody but the authority.
pub(super) fn client(server: &str, authority: &str, certificate: Certificate) -> Result<Client> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(authority.as_bytes()) {
        roots.add(root?)?;
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(certificate));
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(PATIENCE));
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_only()
        .enable_http2()
        .wrap_connector(tcp);
    // All watches share one connection; one that died without a word is noticed.
    let http = Http::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .http2_keep_alive_interval(PATIENCE)
        .http2_keep_alive_timeout(PATIENCE)
        .build::<_, kube::client::Body>(connector);
    let server = server
        .parse()
        .with_context(|| format!("{server} is no address of a server"))?;
    let service = ServiceBuilder::new()
        .layer(BaseUriLayer::new(server))
        .service(http);
    Ok(Client::new(service, "default"))
}
