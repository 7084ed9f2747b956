//! From a client through the API server and a node's server to a hollow pod, and back.

use std::{net::Ipv4Addr, sync::Arc};

use http::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use k8s_apiserver::{
    ApiServer, User,
    pki::{Pki, PkiOptions},
};
use k8s_openapi::api::core::v1::Pod;
use k8s_runtime::{Context, Hub, SystemClock};
use k8s_store::memory::MemoryStore;
use kube::{
    Api,
    api::PostParams,
    client::Body,
    runtime::wait::{await_condition, conditions::is_pod_running},
};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};

use super::*;
use crate::{
    Kubelet, NodeConfig,
    cri::Sandbox,
    hollow::{Behaviour, HollowRuntime, Usage},
    spdy::{Encoder, Frame, Headers, Reader},
};

/// On port 80 somebody says in capitals what he has heard, once he has heard it all.
fn listeners(_: &Sandbox, port: u16) -> Option<DuplexStream> {
    let (near, mut far) = tokio::io::duplex(1024);
    tokio::spawn(async move {
        let mut heard = Vec::new();
        let _ = far.read_to_end(&mut heard).await;
        let _ = far.write_all(&heard.to_ascii_uppercase()).await;
    });
    (port == 80).then_some(near)
}

struct World {
    client: kube::Client,
    _server: ApiServer,
    _directory: tempfile::TempDir,
    _stop: tokio_util::sync::DropGuard,
}

/// A cluster of one hollow node, behind TLS, with one pod that runs.
async fn world() -> World {
    let pki = Pki::ephemeral(&PkiOptions::default()).unwrap();
    let server = ApiServer::builder(Arc::new(MemoryStore::new()))
        .advertise([192, 0, 2, 1].into(), 6443)
        .without_service_accounts()
        .call_nodes_with(pki.client_tls(pki.kubelet_client()).unwrap())
        .build()
        .await
        .unwrap();
    let keys = pki
        .issue_kubelet_serving("n1", &["127.0.0.1".into()])
        .unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut config = NodeConfig::new("n1", directory.path());
    config.internal_ip = Ipv4Addr::LOCALHOST.into();
    config.listen = (Ipv4Addr::LOCALHOST, 0).into();
    config.tls = Some(ServerTls::new(keys.certificate, keys.key, pki.ca_pem()));
    let cancel = CancellationToken::new();
    let ctx = Context {
        client: server.client(User::new("system:node:n1").in_group("system:nodes")),
        hub: Hub::new(server.client(User::new("system:informer-hub"))),
        cancel: cancel.clone(),
        clock: Arc::new(SystemClock),
    };
    let behave = |config: &_| Behaviour {
        usage: Usage {
            milli_cpu: 250,
            memory: 64 << 20,
        },
        ..Behaviour::usual(config)
    };
    let runtime = HollowRuntime::listening(
        "10.1.0.0/24",
        behave,
        Arc::new(listeners),
        Arc::new(SystemClock),
    );
    let kubelet = Kubelet::new(ctx, config, Arc::new(runtime));
    tokio::spawn(async move { kubelet.run().await.unwrap() });
    let client = server.client(User::new("admin").in_group("kubeadm:cluster-admins"));
    let pods = Api::<Pod>::namespaced(client.clone(), "default");
    let pod = json!({
        "metadata": {"name": "p"},
        "spec": {"nodeName": "n1", "containers": [{"name": "web", "image": "web"}]},
    });
    let pod = serde_json::from_value(pod).unwrap();
    pods.create(&PostParams::default(), &pod).await.unwrap();
    let running = await_condition(pods, "p", is_pod_running());
    let running = tokio::time::timeout(std::time::Duration::from_secs(20), running).await;
    running.expect("the pod runs").unwrap();
    World {
        client,
        _server: server,
        _directory: directory,
        _stop: cancel.drop_guard(),
    }
}

impl World {
    async fn ask(&self, method: &str, headers: &[(&str, &str)]) -> Response<Body> {
        let mut request = Request::builder()
            .method(method)
            .uri("/api/v1/namespaces/default/pods/p/portforward?ports=80")
            .header(header::CONNECTION, "Upgrade");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        self.client.send(request).await.unwrap()
    }
}

/// Forwards to port 80 many times over, and once to port 81; checks what comes back.
async fn forward(connection: impl AsyncRead + AsyncWrite) {
    const MANY: u32 = 40;
    let (from_node, mut to_node) = tokio::io::split(connection);
    let mut encoder = Encoder::default();
    for request in 0..=MANY {
        let port = if request == MANY { "81" } else { "80" };
        let id = request.to_string();
        for kind in ["error", "data"] {
            let headers = [("streamtype", kind), ("port", port), ("requestid", &id)];
            let (stream, frame) = encoder.open(&Headers::new(&headers));
            to_node.write_all(&frame).await.unwrap();
            let said = format!("hello {request}");
            let said = if kind == "data" { said.as_bytes() } else { b"" };
            let frame = Encoder::data(stream, said, true);
            to_node.write_all(&frame).await.unwrap();
        }
    }
    let mut reader = Reader::new(from_node);
    let mut heard: Vec<String> = vec![String::new(); 2 * (MANY as usize + 1)];
    let mut open = heard.len();
    while open > 0 {
        let frame = reader.next().await.unwrap().expect("the connection stands");
        if let Frame::Data {
            stream,
            data,
            is_last,
        } = frame
        {
            heard[stream as usize / 2].push_str(std::str::from_utf8(&data).unwrap());
            open -= usize::from(is_last);
        }
    }
    let last = heard.len() - 2;
    for (request, pair) in heard[..last].chunks(2).enumerate() {
        assert_eq!(pair, [String::new(), format!("HELLO {request}")]);
    }
    let (error, data) = (&heard[last], &heard[last + 1]);
    assert!(
        error.starts_with("error forwarding port 81 to pod "),
        "{error}"
    );
    assert!(error.ends_with("connection refused"), "{error}");
    assert_eq!(data, "");
}

#[tokio::test]
async fn ports_are_forwarded_over_spdy() {
    let world = world().await;
    let protocol = ("X-Stream-Protocol-Version", "portforward.k8s.io");
    let answer = world
        .ask("POST", &[("Upgrade", "SPDY/3.1"), protocol])
        .await;
    assert_eq!(answer.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(answer.headers()["x-stream-protocol-version"], protocol.1);
    let upgraded = hyper::upgrade::on(answer).await.unwrap();
    forward(TokioIo::new(upgraded)).await;
}

#[tokio::test]
async fn ports_are_forwarded_through_a_tunnel() {
    let world = world().await;
    let protocol = ("Sec-WebSocket-Protocol", "SPDY/3.1+portforward.k8s.io");
    let key = ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    let version = ("Sec-WebSocket-Version", "13");
    let headers = [("Upgrade", "websocket"), protocol, key, version];
    let answer = world.ask("GET", &headers).await;
    assert_eq!(answer.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(answer.headers()["sec-websocket-protocol"], protocol.1);
    assert_eq!(
        answer.headers()["sec-websocket-accept"],
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
    let upgraded = TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
    let mut socket = WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await;
    let (near, far) = tokio::io::duplex(1024);
    tokio::join!(forward(near), tunnel::run(&mut socket, far));
}

#[tokio::test]
async fn an_unknown_protocol_is_refused_with_those_that_are_served() {
    let world = world().await;
    let protocol = ("X-Stream-Protocol-Version", "v9.portforward.k8s.io");
    let answer = world
        .ask("POST", &[("Upgrade", "SPDY/3.1"), protocol])
        .await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let accepted = &answer.headers()["x-accepted-stream-protocol-versions"];
    assert_eq!(accepted, "portforward.k8s.io");
}

impl World {
    /// What the node says, through the API server's proxy.
    async fn node_says(&self, path: &str) -> String {
        let request = Request::get(format!("/api/v1/nodes/n1/proxy/{path}"));
        let request = request.body(Vec::new()).unwrap();
        self.client.request_text(request).await.unwrap()
    }
}

#[tokio::test]
async fn usage_is_told_to_people_and_to_metrics_servers() {
    let world = world().await;
    let summary = world.node_says("stats/summary").await;
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["node"]["nodeName"], "n1");
    let pod = &summary["pods"][0];
    assert_eq!(pod["podRef"]["name"], "p");
    assert_eq!(pod["containers"][0]["cpu"]["usageNanoCores"], 250_000_000);
    assert_eq!(pod["memory"]["workingSetBytes"], 64 << 20);

    let exposed = world.node_says("metrics/resource").await;
    let labels = r#"{container="web",namespace="default",pod="p"}"#;
    let sample = format!("container_memory_working_set_bytes{labels} {} ", 64 << 20);
    assert!(exposed.contains(&sample), "{exposed}");
    assert!(
        exposed.ends_with("\nresource_scrape_error 0\n"),
        "{exposed}"
    );
    let own = world.node_says("metrics").await;
    assert!(own.contains("\nkubelet_running_pods 1\n"), "{own}");
}

#[tokio::test]
async fn the_configuration_is_told() {
    let world = world().await;
    let told: serde_json::Value = serde_json::from_str(&world.node_says("configz").await).unwrap();
    let told = &told["kubeletconfig"];
    assert_eq!(told["kind"], "KubeletConfiguration");
    assert_eq!(
        (&told["maxPods"], &told["nodeStatusUpdateFrequency"]),
        (&json!(110), &json!("10s"))
    );
}
