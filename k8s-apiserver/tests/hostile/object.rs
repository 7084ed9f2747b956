//! Bodies that grow when they are read, merged or complained of.

use http::{Method, Request};
use http_body_util::BodyExt;
use k8s_apiserver::{ApiServer, User};
use kube::client::Body;
use serde_json::{Value, json};

use super::{check_memory, server};

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
const PODS: &str = "/api/v1/namespaces/default/pods";
const REVISIONS: &str = "/apis/apps/v1/namespaces/default/controllerrevisions";
const JSON: &str = "application/json";

/// The status and the size of the answer.
async fn ask(
    server: &ApiServer,
    method: Method,
    path: &str,
    content_type: &str,
    body: impl Into<Vec<u8>>,
) -> (u16, usize) {
    let admin = User::new("root").in_group("kubeadm:cluster-admins");
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", content_type)
        .body(Body::from(body.into()))
        .unwrap();
    let response = server.client(admin).send(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    check_memory();
    (status, body.len())
}

async fn post(server: &ApiServer, path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> u16 {
    ask(server, Method::POST, path, content_type, body).await.0
}

async fn patch(server: &ApiServer, path: &str, language: &str, body: &Value) -> u16 {
    let content_type = format!("application/{language}");
    ask(server, Method::PATCH, path, &content_type, body.to_string())
        .await
        .0
}

/// What `number` makes of each of so many numbers, one behind the other.
fn many(count: u32, number: impl Fn(u32) -> String) -> String {
    let all: Vec<String> = (0..count).map(number).collect();
    all.join(",")
}

#[tokio::test]
async fn nesting_beyond_reason_is_malformed() {
    let server = server().await;
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = open.repeat(400_000) + "1" + &close.repeat(400_000);
        for content_type in [JSON, "application/yaml"] {
            assert_eq!(
                post(&server, CONFIG_MAPS, content_type, deep.as_str()).await,
                400
            );
        }
    }
    let envelope = |inner: Vec<u8>| [&[0x12, inner.len() as u8 & 0x7f][..], &inner].concat();
    let deep = (0..60).fold(Vec::new(), |inner, _| envelope(inner));
    let body = [&b"k8s\0"[..], &deep].concat();
    let protobuf = "application/vnd.kubernetes.protobuf";
    assert_eq!(post(&server, CONFIG_MAPS, protobuf, body).await, 400);
}

#[tokio::test]
async fn aliases_that_multiply_are_malformed() {
    let server = server().await;
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..9 {
        let below = format!("*a{}", level - 1);
        let list = [below.as_str(); 9].join(",");
        bomb += &format!("a{level}: &a{level} [{list}]\n");
    }
    assert_eq!(
        post(&server, CONFIG_MAPS, "application/yaml", bomb).await,
        400
    );
}

#[tokio::test]
async fn a_hundred_thousand_keys_are_too_long_or_not_worth_a_complaint_each() {
    let server = server().await;
    let keys = many(100_000, |i| format!(r#""k{i}":"0123456789a""#));
    let object = format!(r#"{{"metadata":{{"name":"a"}},"data":{{{keys}}}}}"#);
    let (status, size) = ask(&server, Method::POST, CONFIG_MAPS, JSON, object).await;
    assert_eq!(status, 422);
    assert!(size < 10_000, "a complaint of {size} bytes");

    let same = many(100_000, |_| r#""k":"v""#.to_owned());
    let unknown = many(100_000, |i| format!(r#""k{i}":1"#));
    let object = format!(r#"{{"metadata":{{"name":"a"}},"data":{{{same}}},{unknown}}}"#);
    for (validation, expected) in [("Strict", 400), ("Warn", 201)] {
        let path = format!("{CONFIG_MAPS}?fieldValidation={validation}&dryRun=All");
        let (status, size) = ask(&server, Method::POST, &path, JSON, object.as_str()).await;
        assert_eq!(status, expected);
        assert!(size < 20_000, "a complaint of {size} bytes");
    }
}

#[tokio::test]
async fn a_hundred_thousand_items_are_merged_in_no_time() {
    let server = server().await;
    let pod = json!({
        "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "a", "image": "a"}]},
    });
    assert_eq!(post(&server, PODS, JSON, pod.to_string()).await, 201);
    let items = (0..60_000).map(|i| json!({"name": format!("e{i}"), "value": ""}));
    let items: Vec<Value> = items.collect();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "a", "image": "a", "env": items}]},
    });
    let path = format!("{PODS}/a?fieldManager=m&force=true");
    // A pod's environment can't be changed: it is merged, and then refused.
    assert_eq!(patch(&server, &path, "apply-patch+yaml", &pod).await, 422);
    let path = format!("{PODS}/a");
    assert_eq!(
        patch(&server, &path, "strategic-merge-patch+json", &pod).await,
        422
    );
}

#[tokio::test]
async fn json_patches_can_neither_multiply_nor_bury_what_there_is() {
    let server = server().await;
    let revision =
        json!({"metadata": {"name": "r"}, "revision": 1, "data": {"a": "x".repeat(1000)}});
    assert_eq!(
        post(&server, REVISIONS, JSON, revision.to_string()).await,
        201
    );
    let path = format!("{REVISIONS}/r?dryRun=All");
    let language = "json-patch+json";
    let copy = |to: String| json!({"op": "copy", "from": "/data", "path": to});
    let wide: Vec<Value> = (0..40).map(|i| copy(format!("/data/a{i}"))).collect();
    assert_eq!(patch(&server, &path, language, &wide.into()).await, 422);
    let deep: Vec<Value> = (0..18)
        .map(|i| copy("/data".to_owned() + &"/b".repeat(1 << i)))
        .collect();
    assert_eq!(patch(&server, &path, language, &deep.into()).await, 422);
    let test = json!({"op": "test", "path": "/revision", "value": 1});
    assert_eq!(
        patch(&server, &path, language, &vec![test; 10_001].into()).await,
        413
    );
}

#[tokio::test]
async fn three_mebibytes_are_the_most_that_is_read() {
    let server = server().await;
    for excess in [1, 1 << 20, 30 << 20] {
        let body = vec![b' '; (3 << 20) + excess];
        assert_eq!(post(&server, CONFIG_MAPS, JSON, body).await, 413);
    }
}
