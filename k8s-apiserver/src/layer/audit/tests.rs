//! Requests through all layers, and the events that they leave behind.

use std::{convert::Infallible, sync::Mutex};

use expect_test::{Expect, expect};
use serde_json::json;
use tower::service_fn;

use super::*;
use crate::{
    Verb,
    audit::{Policy, Sink},
    authn::in_process::InProcess,
    authz::rbac::{MemoryRules, Rbac},
    stack::{Layers, Stack},
};

/// Keeps events in memory.
#[derive(Default)]
struct Memory(Mutex<Vec<Value>>);

impl Sink for Memory {
    fn keep(&self, event: &Event) -> bool {
        let event = serde_json::to_value(event).unwrap();
        self.0.lock().unwrap().push(event);
        true
    }
}

/// Time stands still, and nothing is random.
struct Still;

impl Environment for Still {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn random(&self) -> u128 {
        7
    }
}

/// A secret of any name; watches of one chunk; 404 for `gone`, a panic for `panic`.
async fn toy(request: Request) -> Result<Response, Infallible> {
    let info = RequestInfo::of(&request);
    assert!(info.name != "panic", "asked to");
    if info.name == "gone" {
        let resource = crate::error::GroupResource::new("", "secrets");
        return Ok(ApiError::not_found(resource, "gone").into_response());
    }
    if info.verb == Verb::Watch {
        let chunk = futures::stream::once(async { Ok(Bytes::from("{}")) });
        return Ok(Response::new(body::stream(chunk)));
    }
    let sent = body::read(request.into_body()).await.unwrap();
    let metadata = json!({"name": "made", "managedFields": [{"manager": "m"}]});
    let secret = json!({"kind": "Secret", "metadata": metadata, "data": {"password": "c2VjcmV0"}, "sent": sent.len()});
    let mut response = Response::new(body::full(secret.to_string()));
    let headers = response.headers_mut();
    headers.insert("content-type", "application/json".parse().unwrap());
    if info.verb == Verb::Create {
        response.extensions_mut().insert(Made {
            name: "made".into(),
        });
    }
    Ok(response)
}

fn audited(rules: &str) -> (Stack, Arc<Memory>) {
    let policy = format!("{{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{rules}]}}");
    let memory = Arc::new(Memory::default());
    let auditor = Auditor::new(Policy::parse(&policy).unwrap(), memory.clone());
    let layers = Layers {
        auditor: Some(auditor),
        environment: Arc::new(Still),
        ..Layers::new(Arc::new(Rbac::new(Arc::new(MemoryRules::bootstrap()))))
    };
    (layers.in_front_of(service_fn(toy)), memory)
}

fn request(method: &str, uri: &str) -> http::request::Builder {
    let admin = User::new("admin").in_group("kubeadm:cluster-admins");
    let request = http::Request::builder().method(method).uri(uri);
    request.extension(InProcess::new(admin))
}

async fn send(stack: &Stack, request: http::request::Builder, sent: &'static str) -> Response {
    stack.answer(request.body(body::full(sent)).unwrap()).await
}

/// `stage level verb code {the rest that is asked for}` per event.
fn check(memory: &Memory, fields: &[&str], expected: Expect) {
    let events = memory.0.lock().unwrap();
    let lines = events.iter().map(|event| {
        let text = |field: &str| event[field].as_str().unwrap_or("-").to_owned();
        let rest: Vec<String> = fields
            .iter()
            .map(|field| format!(" {field}={}", event.pointer(field).unwrap_or(&Value::Null)))
            .collect();
        let status = &event["responseStatus"]["code"];
        format!(
            "{} {} {} {status}{}\n",
            text("stage"),
            text("level"),
            text("verb"),
            rest.concat()
        )
    });
    expected.assert_eq(&lines.collect::<String>());
}

const SECRET: &str =
    r#"{"kind":"Secret","metadata":{"name":"made"},"stringData":{"password":"secret"}}"#;
const SECRETS: &str = "/api/v1/namespaces/a/secrets";

#[tokio::test]
async fn metadata_says_who_did_what_and_no_secret() {
    let (stack, memory) = audited("{level: Metadata}");
    let post = request("POST", SECRETS)
        .header("content-type", "application/json")
        .header("user-agent", "kubectl")
        .header("audit-id", "my-id");
    let response = send(&stack, post, SECRET).await;
    assert_eq!(response.headers()["audit-id"], "my-id");
    let events = serde_json::to_string_pretty(&*memory.0.lock().unwrap()).unwrap();
    assert!(!events.contains("c2VjcmV0") && !events.contains("stringData"));
    expect![[r#"
        {
          "annotations": {
            "authorization.k8s.io/decision": "allow",
            "authorization.k8s.io/reason": "RBAC: allowed by ClusterRoleBinding \"kubeadm:cluster-admins\" of ClusterRole \"cluster-admin\" to Group \"kubeadm:cluster-admins\""
          },
          "apiVersion": "audit.k8s.io/v1",
          "auditID": "my-id",
          "kind": "Event",
          "level": "Metadata",
          "objectRef": {
            "apiVersion": "v1",
            "name": "made",
            "namespace": "a",
            "resource": "secrets"
          },
          "requestReceivedTimestamp": "1970-01-01T00:00:00.000000Z",
          "requestURI": "/api/v1/namespaces/a/secrets",
          "responseStatus": {
            "code": 200,
            "metadata": {}
          },
          "stage": "ResponseComplete",
          "stageTimestamp": "1970-01-01T00:00:00.000000Z",
          "user": {
            "groups": [
              "kubeadm:cluster-admins",
              "system:authenticated"
            ],
            "username": "admin"
          },
          "userAgent": "kubectl",
          "verb": "create"
        }"#]]
        .assert_eq(&serde_json::to_string_pretty(&memory.0.lock().unwrap()[1]).unwrap());
}

#[tokio::test]
async fn bodies_are_kept_where_the_policy_asks_for_them() {
    let (stack, memory) = audited(
        "{level: Request, verbs: [create]}, {level: RequestResponse, omitManagedFields: true}",
    );
    let post = request("POST", SECRETS).header("content-type", "application/yaml");
    let response = send(&stack, post, "metadata: {name: made}").await;
    let answered = response.into_body().collect().await.unwrap().to_bytes();
    assert!(
        answered.ends_with(br#""sent":22}"#),
        "the handler has read the body"
    );
    let response = send(&stack, request("GET", &format!("{SECRETS}/made")), "").await;
    assert!(
        !response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .is_empty()
    );
    check(
        &memory,
        &["/requestObject/metadata/name", "/responseObject/metadata"],
        expect![[r#"
            RequestReceived Request create null /requestObject/metadata/name=null /responseObject/metadata=null
            ResponseComplete Request create 200 /requestObject/metadata/name="made" /responseObject/metadata=null
            RequestReceived RequestResponse get null /requestObject/metadata/name=null /responseObject/metadata=null
            ResponseComplete RequestResponse get 200 /requestObject/metadata/name=null /responseObject/metadata={"name":"made"}
        "#]],
    );
}

#[tokio::test]
async fn stages_of_long_running_requests_follow_their_body() {
    let (stack, memory) = audited("{level: Metadata, omitStages: [RequestReceived]}");
    let watch = send(&stack, request("GET", &format!("{SECRETS}?watch=1")), "").await;
    check(
        &memory,
        &[],
        expect![[r#"
        ResponseStarted Metadata watch 200
    "#]],
    );
    drop(watch);
    check(
        &memory,
        &[],
        expect![[r#"
        ResponseStarted Metadata watch 200
        ResponseComplete Metadata watch 200
    "#]],
    );
}

#[tokio::test]
async fn failures_say_why() {
    let (stack, memory) = audited("{level: Metadata, omitStages: [RequestReceived]}");
    send(&stack, request("GET", &format!("{SECRETS}/gone")), "").await;
    send(&stack, request("GET", &format!("{SECRETS}/panic")), "").await;
    let jane = InProcess::new(User::new("jane"));
    let denied = http::Request::get(SECRETS).extension(jane);
    send(&stack, denied, "").await;
    let forged = http::Request::get("/version").header("authorization", "Bearer forged");
    let response = send(&stack, forged, "").await;
    assert_eq!(
        response.headers()["audit-id"],
        "00000000-0000-4000-8000-000000000007"
    );
    check(
        &memory,
        &[
            "/user/username",
            "/responseStatus/reason",
            "/annotations/authorization.k8s.io~1decision",
        ],
        expect![[r#"
            ResponseComplete Metadata get 404 /user/username="admin" /responseStatus/reason="NotFound" /annotations/authorization.k8s.io~1decision="allow"
            Panic Metadata get 500 /user/username="admin" /responseStatus/reason="InternalError" /annotations/authorization.k8s.io~1decision=null
            ResponseComplete Metadata list 403 /user/username="jane" /responseStatus/reason="Forbidden" /annotations/authorization.k8s.io~1decision="forbid"
            ResponseStarted Metadata get 401 /user/username=null /responseStatus/reason="Unauthorized" /annotations/authorization.k8s.io~1decision=null
        "#]],
    );
}

#[tokio::test]
async fn acting_as_another_names_both() {
    let (stack, memory) = audited("{level: Metadata, omitStages: [RequestReceived]}");
    let acting = request("GET", SECRETS).header("impersonate-user", "bob");
    send(&stack, acting, "").await;
    check(
        &memory,
        &["/user/username", "/impersonatedUser/username"],
        expect![[r#"
            ResponseComplete Metadata list 403 /user/username="admin" /impersonatedUser/username="bob"
        "#]],
    );
}

#[tokio::test]
async fn what_the_policy_leaves_out_leaves_nothing() {
    let (stack, memory) =
        audited("{level: None, nonResourceURLs: ['/version']}, {level: Metadata}");
    assert_eq!(
        send(&stack, request("GET", "/version"), "").await.status(),
        200
    );
    assert!(memory.0.lock().unwrap().is_empty());
    let shown = request("GET", "/metrics");
    let text = send(&stack, shown, "")
        .await
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes();
    let text = String::from_utf8(text.to_vec()).unwrap();
    for line in [
        "apiserver_audit_event_total 1",
        r#"apiserver_audit_level_total{level="None"} 1"#,
    ] {
        assert!(text.contains(line), "{line} is missing");
    }
}
