//! Watches over WebSocket, on a connection that can be upgraded.

use hyper_util::rt::TokioIo;
use k8s_apimachinery::scheme::protobuf;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

use super::*;
use crate::{pipe, task::Tasks};

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// Sends a request over a connection of its own.
async fn send(api: &Api, tasks: &Tasks, request: Request) -> http::Response<Body> {
    let router = api.router.clone();
    let stream = pipe::open(tasks, move |request| {
        let answer = router.clone().oneshot(request);
        answer.map(|answer| answer.unwrap()).boxed()
    });
    pipe::send(tasks, stream, request).await.unwrap()
}

fn request(uri: &str, accept: &str) -> Request {
    let request = http::Request::get(uri)
        .header("accept", accept)
        .header("connection", "keep-alive, Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    request.body(body::empty()).unwrap()
}

async fn watch(api: &Api, tasks: &Tasks, uri: &str, accept: &str) -> Socket {
    let mut response = send(api, tasks, request(uri, accept)).await;
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    // As RFC 6455 has it for this key.
    assert_eq!(
        response.headers()["sec-websocket-accept"],
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
    let upgraded = hyper::upgrade::on(&mut response).await.unwrap();
    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await
}

#[tokio::test(start_paused = true)]
async fn json_comes_as_text_and_protobuf_as_bytes() {
    let (api, tasks) = (Api::start().await, Tasks::default());
    api.post(MAPS, config_map("a", "1")).await.ok();
    let uri = format!("{MAPS}?watch=1");
    let mut text = watch(&api, &tasks, &uri, "application/json").await;
    let mut bytes = watch(&api, &tasks, &uri, "application/vnd.kubernetes.protobuf").await;
    for expected in ["ADDED", "DELETED"] {
        let message = text.next().await.unwrap().unwrap();
        assert!(message.is_text());
        let event: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
        assert_eq!(event["type"], expected);
        let Message::Binary(frame) = bytes.next().await.unwrap().unwrap() else {
            panic!("protobuf is no text");
        };
        let at = frame.windows(4).position(|four| four == protobuf::MAGIC);
        let (_, object) = protobuf::decode(&frame[at.unwrap()..]).unwrap();
        assert_eq!(object, event["object"]);
        api.delete(&format!("{MAPS}/a")).await;
    }
    drop((text, bytes));
    tasks.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_watch_closes_the_socket() {
    let (api, tasks) = (Api::start().await, Tasks::default());
    let uri = format!("{MAPS}?watch=1&timeoutSeconds=5&labelSelector=none");
    let mut socket = watch(&api, &tasks, &uri, "application/json").await;
    assert!(matches!(socket.next().await, Some(Ok(Message::Close(_)))));
    tasks.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_cannot_be_granted_is_refused() {
    let (api, tasks) = (Api::start().await, Tasks::default());
    let mut keyless = request(&format!("{MAPS}?watch=1"), "application/json");
    keyless.headers_mut().remove("sec-websocket-key");
    let response = send(&api, &tasks, keyless).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    tasks.stop().await;
}
