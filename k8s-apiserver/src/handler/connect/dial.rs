//! Calls nodes and pods, and joins what has been upgraded.

use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use futures::future::{Either, select};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// How long an answer to a call for a connection may take.
const DIAL: Duration = Duration::from_secs(30);
/// How long one side of a stream may go on after the other has ended.
const FAREWELL: Duration = Duration::from_secs(10);

pub(super) async fn tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = within(address, TcpStream::connect(address)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

pub(super) async fn tls(
    address: SocketAddr,
    config: Arc<ClientConfig>,
) -> io::Result<TlsStream<TcpStream>> {
    let stream = tcp(address).await?;
    let name = ServerName::from(address.ip());
    within(address, TlsConnector::from(config).connect(name, stream)).await
}

async fn within<T>(
    address: SocketAddr,
    connected: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let connected = timeout(DIAL, connected).await;
    let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    connected.map_err(|error| {
        let cause = match error.kind() {
            io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
            io::ErrorKind::HostUnreachable => "connect: no route to host".to_owned(),
            io::ErrorKind::TimedOut => "i/o timeout".to_owned(),
            _ => error.to_string(),
        };
        io::Error::new(error.kind(), format!("dial tcp {address}: {cause}"))
    })
}

/// Copies bytes both ways until one side ends; what the other still has to say it says soon. A side
/// that doesn't read holds up the one that writes to it.
pub(super) async fn splice(client: OnUpgrade, server: OnUpgrade) {
    let (client, server) = match tokio::try_join!(client, server) {
        Ok(upgraded) => upgraded,
        Err(error) => return tracing::debug!(%error, "upgrade failed"),
    };
    let (from_client, to_client) = tokio::io::split(TokioIo::new(client));
    let (from_server, to_server) = tokio::io::split(TokioIo::new(server));
    let inward = pin!(pour(from_client, to_server));
    let outward = pin!(pour(from_server, to_client));
    match select(inward, outward).await {
        Either::Left(((), outward)) => drop(timeout(FAREWELL, outward).await),
        Either::Right(((), inward)) => drop(timeout(FAREWELL, inward).await),
    }
}

/// Copies until the source ends or either breaks, and says so to the sink.
async fn pour<R, W>(mut source: R, mut sink: W)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let copied = tokio::io::copy(&mut source, &mut sink).await;
    if let Err(error) = copied.and(sink.shutdown().await) {
        tracing::debug!(%error, "relay ended");
    }
}

/// TLS without asking who answers: pods have certificates of their own making, and it is the address
/// that was asked for.
pub(super) fn trusting() -> Arc<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("ring serves the default versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting(provider)))
        .with_no_client_auth();
    Arc::new(config)
}

#[derive(Debug)]
struct Trusting(Arc<CryptoProvider>);

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
