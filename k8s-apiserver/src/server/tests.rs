//! Real TLS on loopback, and the client without any.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use futures::StreamExt;
use http_body_util::Empty;
use hyper::client::conn::{http1, http2};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Notify,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tower::service_fn;

use super::*;
use crate::{
    Request, RequestInfo, Verb,
    authz::rbac::{MemoryRules, Rbac},
    body,
    config::Config,
    pki::{Credential, Pki, PkiOptions},
};

/// Lets a request begin and end when the test says so.
#[derive(Clone, Default)]
struct Gate {
    begun: Arc<Notify>,
    may_end: Arc<Notify>,
}

/// Config maps of any name, `slow` only when the gate opens; a watch that never ends; `exec` that
/// echoes what is sent.
async fn toy(gate: Gate, mut request: Request) -> Result<Response, Infallible> {
    let info = RequestInfo::of(&request);
    if info.name == "slow" {
        gate.begun.notify_one();
        gate.may_end.notified().await;
    }
    if info.verb == Verb::Watch {
        let first = r#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"1"}}}"#
            .to_owned()
            + "\n";
        let chunks = futures::stream::once(async { Ok(Bytes::from(first)) })
            .chain(futures::stream::pending());
        return Ok(Response::new(body::stream(chunks)));
    }
    if info.subresource == "exec" {
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let (mut reader, mut writer) = tokio::io::split(TokioIo::new(upgrade.await.unwrap()));
            tokio::io::copy(&mut reader, &mut writer).await.unwrap();
        });
        let mut response = Response::new(body::empty());
        *response.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert("connection", "Upgrade".parse().unwrap());
        headers.insert("upgrade", "echo".parse().unwrap());
        return Ok(response);
    }
    let (namespace, name) = (&info.namespace, &info.name);
    let json = format!(
        r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"namespace":"{namespace}","name":"{name}"}}}}"#
    );
    Ok(Response::new(body::full(json)))
}

struct Running {
    server: ApiServer,
    pki: Pki,
    address: SocketAddr,
    cancel: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
    gate: Gate,
}

impl Running {
    async fn start() -> Self {
        Running::start_with(Config::default()).await
    }

    async fn start_with(config: Config) -> Self {
        let gate = Gate::default();
        let layers = Layers {
            config,
            ..Layers::new(Arc::new(Rbac::new(Arc::new(MemoryRules::bootstrap()))))
        };
        let opened = gate.clone();
        let server = ApiServer::new(layers, service_fn(move |it| toy(opened.clone(), it)));
        let pki = Pki::ephemeral(&PkiOptions::default()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cancel = CancellationToken::new();
        let serving = {
            let (server, tls, cancel) = (server.clone(), pki.server_tls().unwrap(), cancel.clone());
            tokio::spawn(async move { server.serve(listener, tls, cancel).await })
        };
        Running {
            server,
            pki,
            address,
            cancel,
            serving,
            gate,
        }
    }

    /// The status and body of one HTTP/1.1 request.
    async fn get(&self, tls: Arc<ClientConfig>, path: &str) -> (u16, String) {
        let mut sender = self.connect(tls).await;
        let request = http::Request::get(path)
            .header("host", "localhost")
            .body(Empty::<Bytes>::new())
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    async fn dial(&self, tls: Arc<ClientConfig>) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(tls).connect(name, stream).await.unwrap()
    }

    async fn connect(&self, tls: Arc<ClientConfig>) -> http1::SendRequest<Empty<Bytes>> {
        let stream = TokioIo::new(self.dial(tls).await);
        let (sender, connection) = http1::handshake(stream).await.unwrap();
        tokio::spawn(connection.with_upgrades());
        sender
    }

    fn as_user(&self, credential: &Credential) -> Arc<ClientConfig> {
        self.pki.client_tls(credential).unwrap()
    }
}

#[tokio::test]
async fn a_client_certificate_says_who_one_is() {
    let running = Running::start().await;
    let path = "/api/v1/namespaces/default/configmaps/c";
    let admin = running.as_user(running.pki.admin());
    assert_eq!(running.get(admin, path).await.0, 200);

    let jane = running.as_user(&running.pki.issue_client("jane", Some("devs")).unwrap());
    let (code, body) = running.get(jane, path).await;
    assert_eq!(code, 403);
    assert!(
        body.contains(r#"User \"jane\" cannot get resource \"configmaps\""#),
        "{body}"
    );
}

#[tokio::test]
async fn a_strangers_certificate_is_unauthorized_and_readable() {
    let running = Running::start().await;
    let stranger = Pki::ephemeral(&PkiOptions::default()).unwrap();
    let identity = stranger.admin().identity().unwrap();
    let tls = crate::tls::client_config(identity, &[running.pki.ca().unwrap()]).unwrap();
    let (code, body) = running.get(tls, "/healthz").await;
    assert_eq!(code, 401, "{body}");
}

#[tokio::test]
async fn stopping_ends_watches_and_leaves_nothing_running() {
    let running = Running::start().await;
    let mut sender = running.connect(running.as_user(running.pki.admin())).await;
    let request = http::Request::get("/api/v1/configmaps?watch=1")
        .header("host", "localhost")
        .body(Empty::new())
        .unwrap();
    let mut watch = sender.send_request(request).await.unwrap().into_body();
    assert!(watch.frame().await.unwrap().unwrap().is_data());
    running.cancel.cancel();
    assert!(watch.frame().await.is_none());
    running.serving.await.unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn kube_runs_in_process_under_the_same_rules() {
    let running = Running::start().await;
    let admin = running
        .server
        .client(User::new("root").in_group("kubeadm:cluster-admins"));
    let found = Api::<ConfigMap>::namespaced(admin, "default")
        .get("c")
        .await
        .unwrap();
    assert_eq!(found.metadata.name.as_deref(), Some("c"));

    let scheduler = running.server.client(User::new("system:kube-scheduler"));
    let denied = Api::<ConfigMap>::namespaced(scheduler, "default")
        .get("c")
        .await
        .unwrap_err();
    let kube::Error::Api(status) = denied else {
        panic!("{denied}")
    };
    assert_eq!((status.code, status.reason.as_str()), (403, "Forbidden"));
}

#[tokio::test]
async fn in_process_requests_can_be_upgraded() {
    let running = Running::start().await;
    let client = running
        .server
        .client(User::new("root").in_group("kubeadm:cluster-admins"));
    let request = http::Request::post("/api/v1/namespaces/a/pods/p/exec")
        .header("connection", "Upgrade")
        .header("upgrade", "echo")
        .body(kube::client::Body::empty())
        .unwrap();
    let response = client.send(request).await.unwrap();
    assert_eq!(response.status(), 101);
    let mut stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    stream.write_all(b"hello").await.unwrap();
    let mut echoed = [0; 5];
    stream.read_exact(&mut echoed).await.unwrap();
    assert_eq!(&echoed, b"hello");
    drop(stream);
    running.server.stop().await;
}

#[tokio::test]
async fn http2_is_spoken_where_the_client_prefers_it() {
    let running = Running::start().await;
    let mut tls = (*running.as_user(running.pki.admin())).clone();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TokioIo::new(running.dial(Arc::new(tls)).await);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = || {
        let uri = "https://localhost/api/v1/namespaces/default/configmaps/c";
        http::Request::get(uri).body(Empty::<Bytes>::new()).unwrap()
    };
    let both = futures::join!(
        sender.clone().send_request(request()),
        sender.send_request(request())
    );
    assert_eq!(
        (both.0.unwrap().status(), both.1.unwrap().status()),
        (200.try_into().unwrap(), 200.try_into().unwrap())
    );
}

#[tokio::test]
async fn connections_over_tls_can_be_upgraded() {
    let running = Running::start().await;
    let mut sender = running.connect(running.as_user(running.pki.admin())).await;
    let request = http::Request::post("/api/v1/namespaces/a/pods/p/exec")
        .header("host", "localhost")
        .header("connection", "Upgrade")
        .header("upgrade", "echo")
        .body(Empty::new())
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 101);
    let mut stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    stream.write_all(b"hello").await.unwrap();
    let mut echoed = [0; 5];
    stream.read_exact(&mut echoed).await.unwrap();
    assert_eq!(&echoed, b"hello");
}

/// A GET over HTTP/1.1.
fn get(path: &str) -> http::Request<Empty<Bytes>> {
    let request = http::Request::get(path).header("host", "localhost");
    request.body(Empty::new()).unwrap()
}

const SLOW: &str = "/api/v1/namespaces/default/configmaps/slow";

#[tokio::test]
async fn stopping_ends_watches_and_lets_requests_finish() {
    let running = Running::start().await;
    let admin = running.as_user(running.pki.admin());
    let mut watcher = running.connect(admin.clone()).await;
    let watch = watcher.send_request(get("/api/v1/configmaps?watch=1"));
    let mut watch = watch.await.unwrap().into_body();
    assert!(watch.frame().await.unwrap().unwrap().is_data());
    let mut asker = running.connect(admin).await;
    let slow = tokio::spawn(asker.send_request(get(SLOW)));
    running.gate.begun.notified().await;

    let stopping = {
        let server = running.server.clone();
        tokio::spawn(async move { server.stop().await })
    };
    // The last chunk comes, so the client knows that nothing is missing.
    assert!(watch.frame().await.is_none());
    assert!(!stopping.is_finished());
    running.gate.may_end.notify_one();
    let response = slow.await.unwrap().unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["connection"], "close");
    response.into_body().collect().await.unwrap();
    stopping.await.unwrap();
    running.serving.await.unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn a_leaving_server_serves_on_but_is_not_ready() {
    let config = Config {
        shutdown_delay: Duration::from_secs(3600),
        ..Config::default()
    };
    let running = Running::start_with(config).await;
    let admin = running.as_user(running.pki.admin());
    assert_eq!(running.get(admin.clone(), "/readyz").await.0, 200);
    running.cancel.cancel();
    while running.get(admin.clone(), "/readyz").await.0 == 200 {
        tokio::task::yield_now().await;
    }
    let (code, checks) = running.get(admin.clone(), "/readyz").await;
    assert_eq!(code, 500);
    assert!(checks.contains("[-]shutdown failed"), "{checks}");
    assert_eq!(running.get(admin.clone(), "/livez").await.0, 200);
    let path = "/api/v1/namespaces/default/configmaps/c";
    assert_eq!(running.get(admin, path).await.0, 200);
    // Who is in a hurry doesn't wait for the hour.
    running.server.tasks.stop().await;
    running.serving.await.unwrap();
}
