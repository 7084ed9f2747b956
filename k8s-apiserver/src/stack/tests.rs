//! Requests through all layers to a toy handler, which answers with who asked for what.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http_body_util::BodyExt;
use tower::service_fn;

use super::*;
use crate::{
    RequestInfo, User,
    authn::in_process::InProcess,
    authz::rbac::{MemoryRules, Rbac},
    body,
    flow::{FlowControl, Limits, testing::shared},
};

fn layers(config: Config) -> Layers {
    let rules = Arc::new(MemoryRules::bootstrap());
    Layers {
        config,
        ..Layers::new(Arc::new(Rbac::new(rules)))
    }
}

/// `name in groups: verb resource`; a panic for pods named `panic`; no end for nodes; a body that
/// is read for creates.
async fn toy(request: Request) -> Result<Response, Infallible> {
    let info = RequestInfo::of(&request);
    let user = User::of(&request);
    assert!(info.name != "panic", "asked to");
    if info.resource == "nodes" {
        std::future::pending::<()>().await;
    }
    if info.verb == crate::Verb::Watch {
        let never = futures::stream::once(async { Ok(Bytes::from("first")) })
            .chain(futures::stream::pending());
        return Ok(Response::new(body::stream(never)));
    }
    if let Err(error) = body::read(request.into_body()).await {
        return Ok(error.into_response());
    }
    let text = format!(
        "{} in {}: {} {}",
        user.name,
        user.groups.join(" "),
        info.verb,
        info.full_resource()
    );
    Ok(Response::new(body::full(text)))
}

fn stack() -> Stack {
    layers(Config::default()).in_front_of(service_fn(toy))
}

fn admin() -> User {
    User::new("admin").in_group("kubeadm:cluster-admins")
}

fn request(user: Option<User>, method: &str, uri: &str) -> http::request::Builder {
    let request = http::Request::builder().method(method).uri(uri);
    match user {
        Some(user) => request.extension(InProcess::new(user)),
        None => request,
    }
}

/// The status, and the body or a Status' message.
async fn ask(stack: &Stack, request: http::request::Builder) -> (u16, String) {
    let response = stack.answer(request.body(body::empty()).unwrap()).await;
    let code = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let status: Option<serde_json::Value> = serde_json::from_slice(&bytes).ok();
    let message = status
        .as_ref()
        .and_then(|status| status["message"].as_str());
    (
        code,
        message.map_or_else(
            || String::from_utf8_lossy(&bytes).into_owned(),
            str::to_owned,
        ),
    )
}

#[tokio::test]
async fn a_known_user_reaches_the_handler() {
    let answer = ask(&stack(), request(Some(admin()), "GET", "/api/v1/pods")).await;
    assert_eq!(
        answer,
        (
            200,
            "admin in kubeadm:cluster-admins system:authenticated: list pods".into()
        )
    );
}

#[tokio::test]
async fn denials_say_who_may_not_do_what() {
    let jane = || Some(User::new("jane"));
    let (code, message) = ask(
        &stack(),
        request(jane(), "GET", "/api/v1/namespaces/default/pods"),
    )
    .await;
    assert_eq!(code, 403);
    assert_eq!(
        message,
        r#"pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "default""#
    );
    let (_, message) = ask(
        &stack(),
        request(jane(), "DELETE", "/apis/apps/v1/namespaces/a/deployments/d"),
    )
    .await;
    assert_eq!(
        message,
        "deployments.apps \"d\" is forbidden: User \"jane\" cannot delete resource \"deployments\" in API group \
         \"apps\" in the namespace \"a\""
    );
    let (_, message) = ask(&stack(), request(jane(), "GET", "/api/v1/nodes/n/status")).await;
    assert_eq!(
        message,
        "nodes \"n\" is forbidden: User \"jane\" cannot get resource \"nodes/status\" in API group \"\" at the \
         cluster scope"
    );
    let (_, message) = ask(&stack(), request(None, "GET", "/metrics")).await;
    assert_eq!(
        message,
        r#"forbidden: User "system:anonymous" cannot get path "/metrics""#
    );
}

#[tokio::test]
async fn bad_credentials_are_unauthorized_even_where_none_are_needed() {
    let stack = stack();
    assert_eq!(
        ask(&stack, request(None, "GET", "/healthz")).await,
        (200, "ok".into())
    );
    let with_token = request(None, "GET", "/healthz").header("authorization", "Bearer forged");
    assert_eq!(ask(&stack, with_token).await, (401, "Unauthorized".into()));
}

#[tokio::test]
async fn the_version_is_for_everyone() {
    let (code, json) = ask(&stack(), request(None, "GET", "/version")).await;
    let version: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (code, &version["major"], &version["minor"]),
        (200, &"1".into(), &"37".into())
    );
    assert_eq!(version["gitVersion"], "v1.37.0");
}

#[tokio::test]
async fn a_panic_costs_its_own_request() {
    let stack = stack();
    let (code, message) = ask(
        &stack,
        request(Some(admin()), "GET", "/api/v1/namespaces/a/pods/panic"),
    )
    .await;
    assert_eq!((code, message.as_str()), (500, "Internal error occurred"));
    assert_eq!(
        ask(&stack, request(Some(admin()), "GET", "/api/v1/pods"))
            .await
            .0,
        200
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_request_ends_at_its_deadline() {
    let start = tokio::time::Instant::now();
    let (code, message) = ask(
        &stack(),
        request(Some(admin()), "GET", "/api/v1/nodes?timeout=3s"),
    )
    .await;
    assert_eq!(code, 504);
    assert_eq!(
        message,
        "Timeout: request did not complete within the allotted timeout"
    );
    assert_eq!(start.elapsed().as_secs(), 3);
    ask(
        &stack(),
        request(Some(admin()), "GET", "/api/v1/nodes?timeout=10h"),
    )
    .await;
    assert_eq!(start.elapsed().as_secs(), 63);
    assert_eq!(
        ask(
            &stack(),
            request(Some(admin()), "GET", "/api/v1/nodes?timeout=soon")
        )
        .await
        .0,
        400
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_outlives_deadlines_and_ends_with_the_server() {
    let layers = layers(Config::default());
    let stopping = layers.tasks.stopping().clone();
    let stack = layers.in_front_of(service_fn(toy));
    let watch = request(Some(admin()), "GET", "/api/v1/pods?watch=1")
        .body(body::empty())
        .unwrap();
    let mut body = stack.answer(watch).await.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "first");
    assert!(
        tokio::time::timeout(Duration::from_secs(3600), body.frame())
            .await
            .is_err()
    );
    stopping.cancel();
    assert!(body.frame().await.is_none());
}

/// A stack with so many seats in one level that queues, for all but masters.
fn stack_of(seats: usize) -> Stack {
    let limits = Limits {
        read_only: seats,
        mutating: 0,
    };
    let flow = FlowControl::new(&limits);
    let (schemas, levels) = shared();
    flow.configure(&schemas, &levels);
    let layers = Layers {
        flow: Some(flow),
        ..layers(Config::default())
    };
    layers.in_front_of(service_fn(toy))
}

#[tokio::test(start_paused = true)]
async fn overload_waits_in_line_and_then_is_sent_away() {
    let stack = stack_of(1);
    let nodes = || request(Some(admin()), "GET", "/api/v1/nodes?timeout=5s");
    let pods = || request(Some(admin()), "GET", "/api/v1/pods?timeout=8s");
    let mut stuck = Box::pin(ask(&stack, nodes()));
    assert!(futures::poll!(&mut stuck).is_pending());

    // A quarter of its time is up before the seat is free.
    let start = tokio::time::Instant::now();
    let response = stack.answer(pods().body(body::empty()).unwrap()).await;
    assert_eq!(start.elapsed(), Duration::from_secs(2));
    assert_eq!(response.status(), 429);
    let headers = response.headers().clone();
    assert_eq!(headers["retry-after"], "1");
    assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(headers["x-kubernetes-pf-flowschema-uid"], "uid-of-shared");
    assert_eq!(
        headers["x-kubernetes-pf-prioritylevel-uid"],
        "uid-of-shared"
    );
    let text = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(text, "Too many requests, please try again later.\n");

    // Whoever must repair things is not held up, nor is what takes its time anyway.
    let master = || User::new("root").in_group("system:masters");
    assert_eq!(
        ask(&stack, request(Some(master()), "GET", "/api/v1/pods"))
            .await
            .0,
        200
    );
    let log = request(Some(admin()), "GET", "/api/v1/namespaces/a/pods/p/log");
    assert_eq!(ask(&stack, log).await.0, 200);

    // A watch waits to begin, and then leaves its seat to others.
    let waiting = request(Some(admin()), "GET", "/api/v1/pods?watch=1");
    let watch = stack.answer(waiting.body(body::empty()).unwrap());
    let (ended, watch) = futures::join!(stuck, watch);
    assert_eq!((ended.0, watch.status().as_u16()), (504, 200));
    assert_eq!(ask(&stack, pods()).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_one_user_lets_another_through() {
    let stack = stack_of(4);
    let start = tokio::time::Instant::now();
    // Each keeps its seat for a second.
    let slow = |user: &str| {
        let user = User::new(user).in_group("kubeadm:cluster-admins");
        ask(
            &stack,
            request(Some(user), "GET", "/api/v1/nodes?timeout=1s"),
        )
    };
    let nodes = |user: &str| {
        let user = User::new(user).in_group("kubeadm:cluster-admins");
        ask(&stack, request(Some(user), "GET", "/api/v1/pods"))
    };
    // Its requests have a second each, of which they wait a quarter; it never lets up.
    let flood = async {
        for _ in 0..40 {
            let wave = futures::future::join_all((0..300).map(|_| slow("flood")));
            wave.await;
        }
        start.elapsed()
    };
    let other = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let answer = nodes("other").await;
        (answer.0, start.elapsed())
    };
    let (flood, (code, served)) = futures::join!(flood, other);
    assert_eq!(code, 200);
    // It had to wait for the first seat that was given back, and for no other.
    assert_eq!(served, Duration::from_secs(1));
    assert!(flood >= Duration::from_secs(40));
}

#[tokio::test(start_paused = true)]
async fn without_objects_the_mandatory_levels_serve() {
    let config = Config {
        limits: Limits {
            read_only: 1,
            mutating: 1,
        },
        ..Config::default()
    };
    let stack = layers(config).in_front_of(service_fn(toy));
    let nodes = || request(Some(admin()), "GET", "/api/v1/nodes?timeout=5s");
    let mut stuck = [0, 1].map(|_| Box::pin(ask(&stack, nodes())));
    for each in &mut stuck {
        assert!(futures::poll!(each).is_pending());
    }
    let pods = request(Some(admin()), "GET", "/api/v1/pods");
    let (code, _) = ask(&stack, pods).await;
    assert_eq!(code, 429);
    let master = User::new("root").in_group("system:masters");
    let pods = request(Some(master), "GET", "/api/v1/pods");
    assert_eq!(ask(&stack, pods).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn who_comes_too_late_is_sent_elsewhere() {
    let layers = layers(Config::default());
    let tasks = layers.tasks.clone();
    let stack = layers.in_front_of(service_fn(toy));
    let nodes = request(Some(admin()), "GET", "/api/v1/nodes?timeout=5s");
    let mut slow = Box::pin(ask(&stack, nodes));
    assert!(futures::poll!(&mut slow).is_pending());
    let mut drained = Box::pin(tasks.drain(Duration::from_secs(1), Duration::from_secs(60)));
    assert!(futures::poll!(&mut drained).is_pending());

    let pods = || request(Some(admin()), "GET", "/api/v1/pods");
    assert_eq!(ask(&stack, pods()).await.0, 200);
    assert_eq!(ask(&stack, request(None, "GET", "/readyz")).await.0, 500);
    let late = async {
        tasks.closed().cancelled().await;
        assert_eq!(ask(&stack, request(None, "GET", "/livez")).await.0, 200);
        stack.answer(pods().body(body::empty()).unwrap()).await
    };
    let ((slow, ()), late) = futures::join!(async { futures::join!(slow, drained) }, late);
    assert_eq!(slow.0, 504);
    assert_eq!(late.status(), 429);
    assert_eq!(late.headers()["retry-after"], "5");
    assert_eq!(late.headers()["connection"], "close");
}

#[tokio::test]
async fn bodies_over_three_mebibytes_are_too_large() {
    let request = request(Some(admin()), "POST", "/api/v1/namespaces/a/configmaps");
    let body = body::full(vec![b' '; body::MAX_REQUEST_BYTES + 1]);
    let response = stack().answer(request.body(body).unwrap()).await;
    assert_eq!(response.status(), 413);
}

#[tokio::test]
async fn an_administrator_may_act_as_others() {
    let acting = |method: &str, uri: &str, user: &str| {
        request(Some(admin()), method, uri).header("impersonate-user", user)
    };
    let (code, text) = ask(
        &stack(),
        acting("GET", "/api/v1/pods", "bob")
            .header("impersonate-group", "kubeadm:cluster-admins")
            .header("impersonate-extra-scopes", "view"),
    )
    .await;
    assert_eq!(code, 200, "{text}");
    assert_eq!(
        text,
        "bob in kubeadm:cluster-admins system:authenticated: list pods"
    );

    let (code, text) = ask(
        &stack(),
        acting(
            "GET",
            "/api/v1/secrets",
            "system:serviceaccount:kube-system:coredns",
        ),
    )
    .await;
    assert_eq!(code, 403);
    assert!(
        text.contains("User \"system:serviceaccount:kube-system:coredns\" cannot list"),
        "{text}"
    );
}

#[tokio::test]
async fn impersonation_needs_permission_for_every_part() {
    let jane = || {
        request(Some(User::new("jane")), "GET", "/api/v1/pods").header("impersonate-user", "admin")
    };
    let (code, message) = ask(&stack(), jane()).await;
    assert_eq!(code, 403);
    assert_eq!(
        message,
        "users \"admin\" is forbidden: User \"jane\" cannot impersonate resource \"users\" in API group \"\" at the \
         cluster scope"
    );
    let nobody = request(Some(admin()), "GET", "/api/v1/pods").header("impersonate-group", "devs");
    assert_eq!(ask(&stack(), nobody).await.0, 400);
}

#[tokio::test]
async fn opening_a_shell_takes_more_than_reading() {
    let rules = MemoryRules::bootstrap();
    let role = serde_json::json!({
        "metadata": {"name": "looker"},
        "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods/exec"]}],
    });
    rules.add_cluster_role(serde_json::from_value(role).unwrap());
    let binding = serde_json::json!({
        "metadata": {"name": "looker"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "looker"},
        "subjects": [{"kind": "User", "name": "jane"}],
    });
    rules.add_cluster_role_binding(serde_json::from_value(binding).unwrap());
    let stack = Layers::new(Arc::new(Rbac::new(Arc::new(rules)))).in_front_of(service_fn(toy));
    let exec = || {
        request(
            Some(User::new("jane")),
            "GET",
            "/api/v1/namespaces/a/pods/p/exec",
        )
    };
    assert_eq!(ask(&stack, exec()).await.0, 200);
    let (code, message) = ask(&stack, exec().header("upgrade", "websocket")).await;
    assert_eq!(code, 403);
    assert!(
        message.contains("cannot create resource \"pods/exec\""),
        "{message}"
    );
}

#[tokio::test]
async fn requests_are_measured_and_shown_to_those_who_may_see() {
    let stack = stack();
    ask(&stack, request(Some(admin()), "GET", "/api/v1/pods")).await;
    let (code, text) = ask(&stack, request(Some(admin()), "GET", "/metrics")).await;
    assert_eq!(code, 200);
    let line = r#"apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="pods",scope="cluster",subresource="",verb="LIST",version="v1"} 1"#;
    assert!(text.contains(line), "{text}");
}
