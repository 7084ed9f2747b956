//! An HTTP/1.1 client over TLS that costs little, so that the cores are the server's: one
//! connection, one request at a time, bodies as bytes.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, body::Incoming, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Where the server is and who we are.
#[derive(Clone)]
pub struct Target {
    host: String,
    port: u16,
    tls: Arc<ClientConfig>,
}

impl Target {
    /// Reads a kubeconfig with embedded certificates.
    pub fn from_kubeconfig(path: &Path) -> Result<Target> {
        let config: Value = serde_saphyr::from_str(&std::fs::read_to_string(path)?)?;
        let text = |pointer: &str| {
            config
                .pointer(pointer)
                .and_then(Value::as_str)
                .with_context(|| format!("no {pointer}"))
        };
        let pem = |pointer: &str| Ok::<_, anyhow::Error>(STANDARD.decode(text(pointer)?)?);
        let mut roots = RootCertStore::empty();
        let ca = pem("/clusters/0/cluster/certificate-authority-data")?;
        roots.add(CertificateDer::from_pem_slice(&ca)?)?;
        let certificate = pem("/users/0/user/client-certificate-data")?;
        let chain = CertificateDer::pem_slice_iter(&certificate).collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(&pem("/users/0/user/client-key-data")?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)?;
        let server = text("/clusters/0/cluster/server")?;
        let address = server
            .strip_prefix("https://")
            .context("the server speaks HTTPS")?;
        let (host, port) = address
            .trim_end_matches('/')
            .rsplit_once(':')
            .context("a port")?;
        Ok(Target {
            host: host.to_owned(),
            port: port.parse()?,
            tls: Arc::new(tls),
        })
    }

    pub async fn connect(&self) -> Result<Client> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(self.host.clone())?;
        let stream = TlsConnector::from(self.tls.clone())
            .connect(name, stream)
            .await?;
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Client {
            host: self.host.clone(),
            sender,
            accept: "application/json".to_owned(),
            content_type: "application/json",
        })
    }
}

/// One connection.
pub struct Client {
    host: String,
    sender: SendRequest<Full<Bytes>>,
    /// Media types that are taken as an answer.
    pub accept: String,
    /// The media type of bodies.
    pub content_type: &'static str,
}

impl Client {
    /// Sends and gives the whole answer; other statuses than 2xx are errors.
    pub async fn call(
        &mut self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Bytes> {
        let answer = self.request(method, path, body).await?;
        let status = answer.status();
        let answer = answer.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            bail!("{path}: {status}: {}", String::from_utf8_lossy(&answer));
        }
        Ok(answer)
    }

    /// Sends and gives the answer with its body unread.
    pub async fn request(
        &mut self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Response<Incoming>> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.host)
            .header("accept", &self.accept)
            .header("content-type", self.content_type)
            .body(Full::new(body.into()))?;
        self.sender.ready().await?;
        Ok(self.sender.send_request(request).await?)
    }
}
