//! `httpGet`: well if a request is answered with a status from 200 to 399.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::{Container, HTTPGetAction};
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{Outcome, port, tcp::plain};

/// As much of the answer as a message shows.
const MAX_BODY: usize = 10 * 1024;

/// Makes the request of an action; `pod_ip` is asked unless the action names a host.
pub(crate) async fn get(
    action: &HTTPGetAction,
    container: &Container,
    pod_ip: &str,
    timeout: Duration,
) -> Outcome {
    let port = match port(&action.port, container) {
        Ok(port) => port,
        Err(message) => return Outcome::Error(message),
    };
    let host = action
        .host
        .as_deref()
        .filter(|host| !host.is_empty())
        .unwrap_or(pod_ip);
    let path = action.path.as_deref().unwrap_or("/");
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    let is_tls = action.scheme.as_deref() == Some("HTTPS");
    let literal = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    let scheme = if is_tls { "https" } else { "http" };
    let url = format!("{scheme}://{literal}:{port}{path}");

    let mut request = Request::get(path)
        .header(header::HOST, format!("{literal}:{port}"))
        .header(header::USER_AGENT, "kube-probe/1.37")
        .header(header::ACCEPT, "*/*")
        .header(header::CONNECTION, "close");
    for extra in action.http_headers.iter().flatten() {
        if let Some(headers) = request.headers_mut()
            && let (Ok(name), Ok(value)) = (
                header::HeaderName::try_from(&extra.name),
                header::HeaderValue::try_from(&extra.value),
            )
        {
            headers.insert(name, value);
        }
    }
    let request = match request.body(Empty::<Bytes>::new()) {
        Ok(request) => request,
        Err(error) => return Outcome::Error(error.to_string()),
    };
    let exchange = async {
        let stream = TcpStream::connect((host, port))
            .await
            .map_err(|error| format!("dial tcp {literal}:{port}: connect: {}", plain(&error)))?;
        if !is_tls {
            return send(stream, request).await;
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let connector = TlsConnector::from(Arc::new(trusting()));
        let stream = connector
            .connect(name, stream)
            .await
            .map_err(|error| error.to_string())?;
        send(stream, request).await
    };
    match tokio::time::timeout(timeout, exchange).await {
        Ok(Ok(status)) if (200..400).contains(&status.as_u16()) => Outcome::Success,
        Ok(Ok(status)) => Outcome::Failure(format!(
            "HTTP probe failed with statuscode: {}",
            status.as_u16()
        )),
        Ok(Err(error)) => Outcome::Failure(format!("Get \"{url}\": {error}")),
        Err(_) => Outcome::Failure(format!(
            "Get \"{url}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        )),
    }
}

async fn send<S>(stream: S, request: Request<Empty<Bytes>>) -> Result<StatusCode, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    let exchange = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| error.to_string())?;
        let status = response.status();
        // Read what comes, so that the server doesn't see a reset; its words don't matter.
        let _ = Limited::new(response.into_body(), MAX_BODY).collect().await;
        Ok(status)
    };
    tokio::pin!(connection, exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        end = &mut connection => match end {
            // The answer may have come together with the end.
            Ok(()) => exchange.await,
            Err(error) => Err(error.to_string()),
        },
    }
}

/// Probes don't verify certificates: they ask the pod itself, whose names no authority knows.
fn trusting() -> ClientConfig {
    let provider = Arc::new(ring::default_provider());
    ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("ring serves the default versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting(provider)))
        .with_no_client_auth()
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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
    use tokio::{io::AsyncWriteExt, net::TcpListener};

    use super::*;

    async fn probe_against(answer: &'static str) -> Outcome {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut request)
                .await
                .unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            let mut rest = Vec::new();
            let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await;
        });
        let action = HTTPGetAction {
            port: IntOrString::Int(port.into()),
            ..HTTPGetAction::default()
        };
        let outcome = get(
            &action,
            &Container::default(),
            "127.0.0.1",
            Duration::from_secs(5),
        )
        .await;
        server.abort();
        outcome
    }

    #[tokio::test]
    async fn statuses_below_400_are_well() {
        assert_eq!(
            probe_against("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await,
            Outcome::Success
        );
        assert_eq!(
            probe_against("HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n").await,
            Outcome::Success
        );
        let failure = Outcome::Failure("HTTP probe failed with statuscode: 503".into());
        assert_eq!(
            probe_against("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n").await,
            failure
        );
    }

    #[tokio::test]
    async fn a_closed_port_is_a_failure_in_go_words() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let action = HTTPGetAction {
            port: IntOrString::Int(port.into()),
            path: Some("healthz".into()),
            ..HTTPGetAction::default()
        };
        let outcome = get(
            &action,
            &Container::default(),
            "127.0.0.1",
            Duration::from_secs(5),
        )
        .await;
        let message = format!(
            "Get \"http://127.0.0.1:{port}/healthz\": dial tcp 127.0.0.1:{port}: connect: connection refused"
        );
        assert_eq!(outcome, Outcome::Failure(message));
    }
}
