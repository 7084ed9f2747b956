//! Tokens as a client meets them: over the server's whole stack.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use k8s_store::memory::MemoryStore;
use serde_json::{Value, json};

use super::{
    BadCredential,
    token::{Authenticated, TokenAuthenticator},
};
use crate::{ApiServer, Request, User, body, registry::Environment};

const ACCOUNTS: &str = "/api/v1/namespaces/default/serviceaccounts";
const WHO_AM_I: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
const TOKEN_REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";

/// A clock that is set.
#[derive(Clone, Default)]
struct Clock(Arc<Mutex<(SignedDuration, u128)>>);

impl Environment for Clock {
    fn now(&self) -> Timestamp {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        start + self.0.lock().unwrap().0
    }

    fn random(&self) -> u128 {
        let mut state = self.0.lock().unwrap();
        state.1 += 7919;
        state.1
    }
}

struct Cluster {
    server: ApiServer,
    admin: kube::Client,
    clock: Clock,
}

impl Cluster {
    /// A server with an account `builder` in the namespace `default`.
    async fn start() -> Self {
        let clock = Clock::default();
        let server = ApiServer::builder(Arc::new(MemoryStore::new()))
            .environment(Arc::new(clock.clone()))
            .advertise([192, 0, 2, 1].into(), 6443)
            .build()
            .await
            .unwrap();
        let admin = server.client(User::new("admin").in_group("kubeadm:cluster-admins"));
        let cluster = Cluster {
            server,
            admin,
            clock,
        };
        let account = json!({ "metadata": { "name": "builder" } });
        cluster.post(ACCOUNTS, account).await.unwrap();
        cluster
    }

    fn pass(&self, seconds: i64) {
        self.clock.0.lock().unwrap().0 += SignedDuration::from_secs(seconds);
    }

    /// As the administrator; a refusal is its message.
    async fn post(&self, uri: &str, value: Value) -> Result<Value, String> {
        let request = http::Request::post(uri).body(value.to_string().into_bytes());
        let answer = self.admin.request::<Value>(request.unwrap()).await;
        answer.map_err(|error| match error {
            kube::Error::Api(status) => status.message.clone(),
            other => panic!("{other}"),
        })
    }

    /// As whoever has the token: status, content type, body.
    async fn with_token(&self, token: &str, method: &str, uri: &str) -> (u16, String, Value) {
        let mut request = Request::new(body::full(match method {
            "POST" => "{}",
            _ => "",
        }));
        *request.method_mut() = method.parse().unwrap();
        *request.uri_mut() = uri.parse().unwrap();
        let header = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", header);
        let response = self.server.service().answer(request).await;
        let content_type = response.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (
            status,
            content_type,
            serde_json::from_slice(&bytes).unwrap(),
        )
    }

    async fn request(&self, spec: Value) -> Result<Value, String> {
        let uri = format!("{ACCOUNTS}/builder/token");
        self.post(&uri, json!({ "spec": spec })).await
    }

    async fn token(&self, spec: Value) -> String {
        let answer = self.request(spec).await.unwrap();
        answer["status"]["token"].as_str().unwrap().to_owned()
    }

    async fn review(&self, token: &str, audiences: Value) -> Value {
        let spec = json!({ "token": token, "audiences": audiences });
        let review = self.post(TOKEN_REVIEWS, json!({ "spec": spec })).await;
        review.unwrap()["status"].clone()
    }
}

#[tokio::test]
async fn a_token_makes_its_bearer_the_account_until_it_expires() {
    let cluster = Cluster::start().await;
    let answer = cluster
        .request(json!({ "expirationSeconds": 600 }))
        .await
        .unwrap();
    assert_eq!(answer["kind"], "TokenRequest");
    assert_eq!(answer["metadata"]["name"], "builder");
    assert_eq!(
        answer["spec"]["audiences"],
        json!(["https://kubernetes.default.svc.cluster.local"])
    );
    assert_eq!(
        answer["status"]["expirationTimestamp"],
        "2026-01-01T00:10:00Z"
    );
    let token = answer["status"]["token"].as_str().unwrap();
    let (status, _, me) = cluster.with_token(token, "POST", WHO_AM_I).await;
    assert_eq!(status, 201);
    let me = &me["status"]["userInfo"];
    assert_eq!(me["username"], "system:serviceaccount:default:builder");
    assert_eq!(
        me["groups"],
        json!([
            "system:serviceaccounts",
            "system:serviceaccounts:default",
            "system:authenticated"
        ])
    );
    let id = me["extra"]["authentication.kubernetes.io/credential-id"][0].as_str();
    assert!(id.unwrap().starts_with("JTI="));
    cluster.pass(600);
    let (status, _, refused) = cluster.with_token(token, "POST", WHO_AM_I).await;
    assert_eq!((status, &refused["message"]), (401, &json!("Unauthorized")));
}

#[tokio::test]
async fn token_requests_are_held_to_their_bounds() {
    let cluster = Cluster::start().await;
    assert_eq!(
        cluster.request(json!({ "expirationSeconds": 599 })).await,
        Err(
            "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 599: may not \
             specify a duration less than 10 minutes"
                .to_owned()
        )
    );
    let bound = |kind: &str, name: &str, uid: &str| json!({ "boundObjectRef": { "apiVersion": "v1", "kind": kind, "name": name, "uid": uid } });
    assert_eq!(
        cluster.request(bound("Pod", "p", "")).await,
        Err("pods \"p\" not found".to_owned())
    );
    assert_eq!(
        cluster.request(bound("ConfigMap", "c", "")).await,
        Err("cannot bind token to object of type /v1, Kind=ConfigMap".to_owned())
    );
    cluster
        .post(ACCOUNTS, json!({ "metadata": { "name": "other" } }))
        .await
        .unwrap();
    let pod = json!({
        "metadata": { "name": "p" },
        "spec": { "serviceAccountName": "other", "containers": [{ "name": "c", "image": "i" }] },
    });
    cluster
        .post("/api/v1/namespaces/default/pods", pod)
        .await
        .unwrap();
    assert_eq!(
        cluster.request(bound("Pod", "p", "")).await,
        Err(
            "cannot bind token for serviceaccount \"builder\" to pod running with different serviceaccount name."
                .to_owned()
        )
    );
    let secret = json!({ "metadata": { "name": "s" } });
    cluster
        .post("/api/v1/namespaces/default/secrets", secret)
        .await
        .unwrap();
    assert_eq!(
        cluster.request(bound("Secret", "s", "gone")).await,
        Err(
            "Operation cannot be fulfilled on Secret \"s\": the UID in the bound object reference (gone) does not \
             match the UID in record. The object might have been deleted and then recreated"
                .to_owned()
        )
    );
    cluster.request(bound("Secret", "s", "")).await.unwrap();
    let uri = format!("{ACCOUNTS}/nobody/token");
    assert_eq!(
        cluster.post(&uri, json!({})).await,
        Err("serviceaccounts \"nobody\" not found".to_owned())
    );
    let uri = format!("{ACCOUNTS}/builder/token");
    let other = json!({ "metadata": { "name": "other" } });
    assert_eq!(
        cluster.post(&uri, other).await,
        Err(
            "TokenRequest.authentication.k8s.io \"\" is invalid: metadata.name: Invalid value: \"other\": must match \
             the service account name if specified"
                .to_owned()
        )
    );
}

#[tokio::test]
async fn a_review_says_whom_a_token_stands_for_and_for_which_audience() {
    let cluster = Cluster::start().await;
    let token = cluster
        .token(json!({ "audiences": ["vault", "mesh"] }))
        .await;
    let status = cluster.review(&token, json!(["vault", "other"])).await;
    assert_eq!(status["authenticated"], true);
    assert_eq!(status["audiences"], json!(["vault"]));
    assert_eq!(
        status["user"]["username"],
        "system:serviceaccount:default:builder"
    );
    let status = cluster.review(&token, json!([])).await;
    assert_eq!(status["authenticated"], Value::Null);
    assert_eq!(
        status["error"],
        "[invalid bearer token, token audiences [\"vault\", \"mesh\"] is invalid for the target audiences \
         [\"https://kubernetes.default.svc.cluster.local\"]]"
    );
    let status = cluster.review("nonsense", json!([])).await;
    assert_eq!(status["error"], "invalid bearer token");
    assert_eq!(
        cluster.post(TOKEN_REVIEWS, json!({ "spec": {} })).await,
        Err("token is required for TokenReview in authentication".to_owned())
    );
}

#[tokio::test]
async fn service_accounts_learn_how_to_verify_tokens() {
    let cluster = Cluster::start().await;
    let token = cluster.token(json!({})).await;
    let uri = "/.well-known/openid-configuration";
    let (status, content_type, document) = cluster.with_token(&token, "GET", uri).await;
    assert_eq!((status, content_type.as_str()), (200, "application/json"));
    assert_eq!(
        document["issuer"],
        "https://kubernetes.default.svc.cluster.local"
    );
    assert_eq!(
        document["jwks_uri"],
        "https://192.0.2.1:6443/openid/v1/jwks"
    );
    let (status, content_type, keys) = cluster.with_token(&token, "GET", "/openid/v1/jwks").await;
    assert_eq!(
        (status, content_type.as_str()),
        (200, "application/jwk-set+json")
    );
    let header = token.split('.').next().unwrap();
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(header)
        .unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    assert_eq!(keys["keys"][0]["kid"], header["kid"]);
    let stranger = cluster.server.client(User::new("jane"));
    let request = http::Request::get(uri).body(Vec::new()).unwrap();
    assert!(stranger.request::<Value>(request).await.is_err());
}

/// Knows one token.
struct Provider;

#[async_trait]
impl TokenAuthenticator for Provider {
    async fn authenticate(
        &self,
        token: &str,
        audiences: &[String],
    ) -> Result<Option<Authenticated>, BadCredential> {
        let known = (token == "jane's").then(|| Authenticated {
            user: User::new("jane"),
            audiences: audiences.to_vec(),
        });
        Ok(known)
    }
}

#[tokio::test]
async fn an_embedder_brings_an_issuer_of_its_own() {
    let mut cluster = Cluster::start().await;
    let builder = ApiServer::builder(Arc::new(MemoryStore::new()));
    let builder = builder.believe_tokens_of(Arc::new(Provider));
    cluster.server = builder.build().await.unwrap();
    let (status, _, me) = cluster.with_token("jane's", "POST", WHO_AM_I).await;
    assert_eq!(status, 201);
    assert_eq!(me["status"]["userInfo"]["username"], "jane");
    let (status, _, _) = cluster.with_token("another's", "POST", WHO_AM_I).await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn a_bootstrap_token_lets_a_new_machine_in() {
    let cluster = Cluster::start().await;
    let text = |text: &str| STANDARD.encode(text);
    let secret = json!({
        "metadata": { "name": "bootstrap-token-abcdef" },
        "type": "bootstrap.kubernetes.io/token",
        "data": {
            "token-id": text("abcdef"),
            "token-secret": text("0123456789abcdef"),
            "usage-bootstrap-authentication": text("true"),
            "expiration": text("2026-01-01T01:00:00Z"),
        },
    });
    cluster
        .post("/api/v1/namespaces/kube-system/secrets", secret)
        .await
        .unwrap();
    let token = "abcdef.0123456789abcdef";
    let (status, _, me) = cluster.with_token(token, "POST", WHO_AM_I).await;
    assert_eq!(status, 201);
    assert_eq!(
        me["status"]["userInfo"]["username"],
        "system:bootstrap:abcdef"
    );
    cluster.pass(3600);
    let (status, _, _) = cluster.with_token(token, "POST", WHO_AM_I).await;
    assert_eq!(status, 401);
}
