//! Through the relay to a toy node agent: in this process, and over TLS on loopback.

use std::{collections::BTreeMap, convert::Infallible, net::SocketAddr};

use async_trait::async_trait;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use k8s_apimachinery::Object;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::service_fn;

use super::*;
use crate::{
    pki::{Pki, PkiOptions},
    stack::Stack,
};

/// Logs its own path; refuses logs of the container `starting`; echoes what is sent to `/exec`.
async fn agent(mut request: Request) -> Result<Response, Infallible> {
    let path = request.uri().path_and_query().unwrap().to_string();
    if path.starts_with("/exec/") {
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let (mut reader, mut writer) = tokio::io::split(TokioIo::new(upgrade.await.unwrap()));
            tokio::io::copy(&mut reader, &mut writer).await.unwrap();
        });
        let mut response = Response::new(body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response
            .headers_mut()
            .insert(header::CONNECTION, "Upgrade".parse().unwrap());
        response
            .headers_mut()
            .insert(header::UPGRADE, "echo".parse().unwrap());
        return Ok(response);
    }
    if path.contains("starting") {
        let text = "container \"starting\" in pod \"p\" is waiting to start: ContainerCreating\n";
        let mut response = Response::new(body::full(text));
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(response);
    }
    Ok(Response::new(body::full(format!("log of {path}"))))
}

struct Nodes(BTreeMap<&'static str, NodeEndpoint>);

#[async_trait]
impl NodeLocator for Nodes {
    async fn locate(&self, node: &str) -> Option<NodeEndpoint> {
        self.0.get(node).cloned()
    }

    fn slices(&self, _: &str, _: &str) -> Vec<EndpointSlice> {
        Vec::new()
    }

    fn pod(&self, _: &str, _: &str) -> Option<Pod> {
        None
    }
}

/// One hollow node, one behind TLS, one that is down.
async fn relay() -> Relay {
    let pki = Pki::ephemeral(&PkiOptions::default()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = pki
        .issue_kubelet_serving("real", &["127.0.0.1".into()])
        .unwrap();
    let tls =
        crate::tls::ServerTls::new(serving.identity().unwrap(), &[pki.ca().unwrap()]).unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let stream = TlsAcceptor::from(tls.config.clone())
                .accept(stream)
                .await
                .unwrap();
            let service = TowerToHyperService::new(service_fn(
                |request: http::Request<hyper::body::Incoming>| {
                    agent(request.map(|body| Body::new(body.map_err(Into::into))))
                },
            ));
            let http = auto::Builder::new(TokioExecutor::new());
            tokio::spawn(
                http.serve_connection_with_upgrades(TokioIo::new(stream), service)
                    .into_owned(),
            );
        }
    });
    let nodes = Nodes(BTreeMap::from([
        (
            "hollow",
            NodeEndpoint::InProcess(Stack::new(service_fn(agent))),
        ),
        ("real", NodeEndpoint::Address(address)),
        (
            "down",
            NodeEndpoint::Address("127.0.0.1:1".parse().unwrap()),
        ),
    ]));
    let client = pki.client_tls(pki.kubelet_client()).unwrap();
    Relay::new(
        Arc::new(nodes),
        client,
        Tasks::new(CancellationToken::new()),
    )
}

fn pod(node: &str) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": "p", "namespace": "a"},
        "spec": {"nodeName": node, "containers": [{"name": "web"}, {"name": "starting"}]},
    }))
    .unwrap()
}

fn request(subresource: &str) -> Request {
    let uri = format!("/api/v1/namespaces/a/pods/p/{subresource}");
    let mut request = http::Request::get(uri).body(body::empty()).unwrap();
    let info = RequestInfo::parse(request.method(), request.uri()).unwrap();
    request.extensions_mut().insert(Arc::new(info));
    request
}

async fn text(response: Response) -> String {
    String::from_utf8(
        response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .to_vec(),
    )
    .unwrap()
}

#[tokio::test]
async fn logs_come_from_the_pods_node() {
    let relay = relay().await;
    for node in ["hollow", "real"] {
        let response = relay
            .pod(&pod(node), request("log?container=web&tailLines=3"))
            .await
            .unwrap();
        assert_eq!(
            text(response).await,
            "log of /containerLogs/a/p/web?tailLines=3",
            "{node}"
        );
    }
}

#[tokio::test]
async fn a_nodes_refusal_reaches_the_client_in_its_own_words() {
    let error = relay()
        .await
        .pod(&pod("real"), request("log?container=starting"))
        .await
        .unwrap_err();
    let words = "container \"starting\" in pod \"p\" is waiting to start: ContainerCreating";
    assert_eq!(error, ApiError::BadRequest(words.into()));
}

#[tokio::test]
async fn nodes_that_are_down_or_unknown_say_so() {
    let relay = relay().await;
    let down = relay
        .pod(&pod("down"), request("log?container=web"))
        .await
        .unwrap_err();
    assert!(
        down.to_string()
            .starts_with("error dialing backend: dial tcp 127.0.0.1:1: "),
        "{down}"
    );
    let gone = relay
        .pod(&pod("gone"), request("log?container=web"))
        .await
        .unwrap_err();
    assert_eq!(gone.to_string(), "nodes \"gone\" not found");
}

#[tokio::test]
async fn an_upgraded_stream_is_relayed_both_ways() {
    for node in ["hollow", "real"] {
        let relay = relay().await;
        let tasks = relay.tasks.clone();
        let stream = pipe::open(&tasks, move |mut client: Request| {
            let relay = relay.clone();
            Box::pin(async move {
                let relayed = request("exec?container=web&command=cat&stdin=1");
                let info = RequestInfo::of(&relayed);
                client.extensions_mut().insert(info);
                relay
                    .pod(&pod(node), client)
                    .await
                    .unwrap_or_else(ApiError::into_response)
            })
        });
        let mut asked = request("exec?container=web&command=cat&stdin=1");
        asked
            .headers_mut()
            .insert(header::CONNECTION, "Upgrade".parse().unwrap());
        asked
            .headers_mut()
            .insert(header::UPGRADE, "echo".parse().unwrap());
        let response = pipe::send(&tasks, stream, asked).await.unwrap();
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS, "{node}");
        assert_eq!(response.headers()[header::UPGRADE], "echo");
        let mut stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
        stream.write_all(b"hello").await.unwrap();
        let mut echoed = [0; 5];
        stream.read_exact(&mut echoed).await.unwrap();
        assert_eq!(&echoed, b"hello");
        stream.shutdown().await.unwrap();
        assert_eq!(
            stream.read(&mut echoed).await.unwrap(),
            0,
            "{node}: the end is relayed too"
        );
    }
}

/// A pod's web server: says what it was asked, and echoes upgrades.
async fn web() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service_fn(
                |request: http::Request<hyper::body::Incoming>| async move {
                    if request.headers().contains_key(header::UPGRADE) {
                        let path = request.uri().path().replace("/socket", "/exec/");
                        let mut request = request.map(|_| body::empty());
                        *request.uri_mut() = path.parse().unwrap();
                        return agent(request).await;
                    }
                    let (parts, body) = request.into_parts();
                    let said = body.collect().await.unwrap().to_bytes();
                    let uri = parts.headers["x-forwarded-uri"].to_str().unwrap();
                    let said = String::from_utf8_lossy(&said);
                    let answer = format!("{} {} {uri} {said}", parts.method, parts.uri);
                    Ok::<_, Infallible>(Response::new(body::full(answer)))
                },
            ));
            let http = auto::Builder::new(TokioExecutor::new());
            tokio::spawn(
                http.serve_connection_with_upgrades(TokioIo::new(stream), service)
                    .into_owned(),
            );
        }
    });
    address
}

async fn reached(method: &str, path: &str, said: &'static str) -> Response {
    let location = location::Location {
        is_tls: false,
        address: web().await,
    };
    let mut request = request(&format!("proxy{path}"));
    *request.method_mut() = method.parse().unwrap();
    *request.body_mut() = body::full(said);
    let uri = path.parse().unwrap();
    relay().await.reach(location, uri, request).await.unwrap()
}

#[tokio::test]
async fn a_pod_gets_method_path_query_and_body() {
    let response = reached("PATCH", "/a%20b?x=1", "some words").await;
    let expected = "PATCH /a%20b?x=1 /api/v1/namespaces/a/pods/p/proxy/a%20b some words";
    assert_eq!(text(response).await, expected);
}

#[tokio::test]
async fn a_proxied_node_gets_what_comes_after_the_proxys_path() {
    let node = Object::from_value(json!({"kind": "Node", "metadata": {"name": "hollow"}})).unwrap();
    let asked = |path: &str, method: &str| {
        let uri = format!("/api/v1/nodes/hollow/proxy{path}");
        let mut request = http::Request::builder()
            .method(method)
            .uri(uri)
            .body(body::empty())
            .unwrap();
        let info = RequestInfo::parse(request.method(), request.uri()).unwrap();
        request.extensions_mut().insert(Arc::new(info));
        request
    };
    let relay = relay().await;
    let response = relay.proxy(&node, asked("?x=1", "GET")).await.unwrap();
    assert_eq!(response.status(), StatusCode::MOVED_PERMANENTLY);
    let location = &response.headers()[header::LOCATION];
    assert_eq!(location, "/api/v1/nodes/hollow/proxy/?x=1");
    for (path, method, expected) in [
        ("", "POST", "log of /"),
        ("/logs/a%20b/?x=1", "GET", "log of /logs/a%20b/?x=1"),
    ] {
        let response = relay.proxy(&node, asked(path, method)).await.unwrap();
        assert_eq!(text(response).await, expected);
    }
}

#[tokio::test]
async fn upgrades_pass_through_to_a_pod() {
    let (relay, address) = (relay().await, web().await);
    let tasks = relay.tasks.clone();
    let stream = pipe::open(&tasks, move |client: Request| {
        let relay = relay.clone();
        Box::pin(async move {
            let location = location::Location {
                is_tls: false,
                address,
            };
            let answer = relay.reach(location, "/socket".parse().unwrap(), client);
            answer.await.unwrap_or_else(ApiError::into_response)
        })
    });
    let mut asked = request("proxy/socket");
    for (name, value) in [(header::CONNECTION, "Upgrade"), (header::UPGRADE, "echo")] {
        asked.headers_mut().insert(name, value.parse().unwrap());
    }
    let response = pipe::send(&tasks, stream, asked).await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let mut stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    stream.write_all(b"hello").await.unwrap();
    let mut echoed = [0; 5];
    stream.read_exact(&mut echoed).await.unwrap();
    assert_eq!(&echoed, b"hello");
}

#[tokio::test]
async fn a_pod_that_does_not_listen_is_a_service_that_is_not_there() {
    let location = location::Location {
        is_tls: false,
        address: "127.0.0.1:1".parse().unwrap(),
    };
    let answer = relay()
        .await
        .reach(location, "/".parse().unwrap(), request("proxy/"))
        .await;
    let error = "error trying to reach service: dial tcp 127.0.0.1:1: connect: connection refused";
    assert_eq!(
        answer.unwrap_err(),
        ApiError::ServiceUnavailable(error.into())
    );
}
