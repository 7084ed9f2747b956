use std::{
    convert::Infallible,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use super::*;

/// A clock that is set, and an API that numbers its tokens, or fails.
#[derive(Clone, Default)]
struct World {
    seconds: Arc<Mutex<i64>>,
    asked: Arc<AtomicUsize>,
    is_down: Arc<AtomicBool>,
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(*self.seconds.lock().unwrap()).unwrap()
    }
}

impl World {
    fn tokens(&self) -> Tokens {
        let world = self.clone();
        let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
            let world = world.clone();
            async move {
                let uri = request.uri().to_string();
                assert_eq!(uri, "/api/v1/namespaces/shop/serviceaccounts/seller/token?");
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let (status, answer) = world.answer(serde_json::from_slice(&body).unwrap());
                let response = http::Response::builder().status(status);
                let body = Full::from(answer.to_string().into_bytes());
                Ok::<_, Infallible>(response.body(body).unwrap())
            }
        });
        Tokens::new(Client::new(service, "default"), Arc::new(self.clone()))
    }

    fn answer(&self, mut request: Value) -> (u16, Value) {
        if self.is_down.load(Ordering::Relaxed) {
            let status =
                json!({ "status": "Failure", "message": "down", "reason": "", "code": 503 });
            return (503, status);
        }
        let bound = &request["spec"]["boundObjectRef"];
        assert_eq!(
            bound,
            &json!({ "apiVersion": "v1", "kind": "Pod", "name": "web", "uid": "u1" })
        );
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        let lifetime = request["spec"]["expirationSeconds"].as_i64().unwrap();
        let expires = self.now() + SignedDuration::from_secs(lifetime);
        request["status"] = json!({
            "token": format!("token-{number}"),
            "expirationTimestamp": expires.to_string(),
        });
        (201, request)
    }

    fn pass(&self, seconds: i64) {
        *self.seconds.lock().unwrap() += seconds;
    }
}

fn pod() -> Pod {
    serde_json::from_value(json!({
        "metadata": { "namespace": "shop", "name": "web", "uid": "u1" },
        "spec": { "serviceAccountName": "seller", "containers": [] },
    }))
    .unwrap()
}

fn source(expiration: i64) -> ServiceAccountTokenProjection {
    ServiceAccountTokenProjection {
        path: "token".into(),
        expiration_seconds: Some(expiration),
        ..ServiceAccountTokenProjection::default()
    }
}

#[tokio::test]
async fn a_token_is_replaced_after_four_fifths_of_its_time() {
    let world = World::default();
    let tokens = world.tokens();
    let get = async || tokens.get(&pod(), &source(1000)).await.unwrap();
    assert_eq!(get().await, "token-1");
    world.pass(800);
    assert_eq!(get().await, "token-1");
    world.pass(1);
    assert_eq!(get().await, "token-2");
}

#[tokio::test]
async fn a_long_token_is_replaced_after_a_day() {
    let world = World::default();
    let tokens = world.tokens();
    let week = source(7 * 24 * 3600);
    tokens.get(&pod(), &week).await.unwrap();
    world.pass(24 * 3600);
    assert_eq!(tokens.get(&pod(), &week).await.unwrap(), "token-1");
    world.pass(1);
    assert_eq!(tokens.get(&pod(), &week).await.unwrap(), "token-2");
}

#[tokio::test]
async fn a_token_that_cannot_be_replaced_serves_to_its_end() {
    let world = World::default();
    let tokens = world.tokens();
    tokens.get(&pod(), &source(1000)).await.unwrap();
    world.is_down.store(true, Ordering::Relaxed);
    world.pass(999);
    assert_eq!(tokens.get(&pod(), &source(1000)).await.unwrap(), "token-1");
    world.pass(1);
    let error = tokens.get(&pod(), &source(1000)).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("failed to fetch token for seller/shop"),
        "{text}"
    );
}

#[tokio::test]
async fn audiences_and_lifetimes_have_tokens_of_their_own() {
    let world = World::default();
    let tokens = world.tokens();
    let vault = ServiceAccountTokenProjection {
        audience: Some("vault".into()),
        ..source(1000)
    };
    assert_eq!(tokens.get(&pod(), &source(1000)).await.unwrap(), "token-1");
    assert_eq!(tokens.get(&pod(), &vault).await.unwrap(), "token-2");
    assert_eq!(tokens.get(&pod(), &source(2000)).await.unwrap(), "token-3");
    assert_eq!(tokens.get(&pod(), &source(1000)).await.unwrap(), "token-1");
}

#[test]
fn a_token_is_its_readers_own_where_all_containers_are_one_user() {
    let check = |pods: Value, users: &[Value], want: Option<u32>| {
        let container =
            |user: &Value| json!({ "name": "c", "securityContext": { "runAsUser": user } });
        let pod = serde_json::from_value(json!({ "spec": {
            "securityContext": { "runAsUser": pods },
            "containers": users.iter().map(container).collect::<Vec<_>>(),
        } }));
        assert_eq!(reader(&pod.unwrap()), want);
    };
    let none = Value::Null;
    check(json!(1000), &[none.clone(), none.clone()], Some(1000));
    check(json!(1000), &[none.clone(), json!(2000)], None);
    check(none.clone(), &[json!(2000), json!(2000)], Some(2000));
    check(none.clone(), &[json!(2000), none.clone()], None);
    check(none.clone(), &[none], None);
}
