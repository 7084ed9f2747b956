use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::*;
use crate::{
    authn::token::{Authenticated, TokenAuthenticator},
    pki::TokenKey,
    registry::Environment,
};

const URL: &str = "https://kubernetes.default.svc.cluster.local";
const START: i64 = 1_700_000_000;

/// A clock that is set, and objects that come and go.
#[derive(Clone)]
struct World {
    seconds: Arc<Mutex<i64>>,
    objects: Arc<Mutex<BTreeMap<(String, String), Object>>>,
    issuer: Arc<TokenIssuer>,
}

struct Clock(Arc<Mutex<i64>>);

impl Environment for Clock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(*self.0.lock().unwrap()).unwrap()
    }

    fn random(&self) -> u128 {
        7
    }
}

impl CoreObjects for World {
    fn object(&self, resource: &str, _namespace: &str, name: &str) -> Option<Object> {
        let key = (resource.to_owned(), name.to_owned());
        self.objects.lock().unwrap().get(&key).cloned()
    }
}

impl World {
    /// An account, a pod of it on a node, and a secret.
    fn new() -> Self {
        let seconds = Arc::new(Mutex::new(START));
        let key = Arc::new(TokenKey::generate().unwrap());
        let issuer = TokenIssuer::new(key, URL, Arc::new(Clock(seconds.clone())));
        let world = World {
            seconds,
            objects: Arc::default(),
            issuer: Arc::new(issuer),
        };
        for (resource, name, uid) in [
            ("serviceaccounts", "builder", "a1"),
            ("pods", "web", "p1"),
            ("nodes", "n1", "n1-uid"),
            ("secrets", "s", "s1"),
        ] {
            world.put(
                resource,
                name,
                json!({ "metadata": { "name": name, "uid": uid } }),
            );
        }
        world
    }

    fn put(&self, resource: &str, name: &str, value: Value) {
        let object = Object::from_value(value).unwrap();
        let key = (resource.to_owned(), name.to_owned());
        self.objects.lock().unwrap().insert(key, object);
    }

    fn remove(&self, resource: &str, name: &str) {
        let key = (resource.to_owned(), name.to_owned());
        self.objects.lock().unwrap().remove(&key);
    }

    fn pass(&self, seconds: i64) {
        *self.seconds.lock().unwrap() += seconds;
    }

    fn token(&self, bound: Bound, audiences: &[&str], expiration: i64) -> String {
        let audiences: Vec<_> = audiences.iter().map(|&each| each.to_owned()).collect();
        let grant = Grant {
            namespace: "default",
            account: reference("builder", "a1"),
            bound,
            audiences: &audiences,
            expiration,
        };
        self.issuer.issue(&grant).unwrap()
    }

    fn ask(&self, token: &str, audience: &str) -> Result<Option<Authenticated>, String> {
        let checker = Checker::new(self.issuer.clone(), Arc::new(self.clone()));
        let asked = [audience.to_owned()];
        futures::executor::block_on(checker.authenticate(token, &asked)).map_err(|error| error.0)
    }

    #[track_caller]
    fn refuses(&self, token: &str, want: &str) {
        assert_eq!(self.ask(token, URL).unwrap_err(), want);
    }
}

fn reference(name: &str, uid: &str) -> Reference {
    Reference {
        name: name.to_owned(),
        uid: uid.to_owned(),
    }
}

fn pod() -> Bound {
    Bound::Pod(reference("web", "p1"), Some(reference("n1", "n1-uid")))
}

#[test]
fn a_token_names_account_pod_and_node_as_kubernetes_does() {
    let world = World::new();
    let token = world.token(pod(), &[URL], 3600);
    let claims = world.issuer.verified(&token).unwrap().unwrap();
    assert_eq!(
        Value::Object(claims),
        json!({
            "aud": [URL],
            "exp": START + 3600,
            "iat": START,
            "iss": URL,
            "jti": "00000000-0000-4000-8000-000000000007",
            "kubernetes.io": {
                "namespace": "default",
                "node": { "name": "n1", "uid": "n1-uid" },
                "pod": { "name": "web", "uid": "p1" },
                "serviceaccount": { "name": "builder", "uid": "a1" },
            },
            "nbf": START,
            "sub": "system:serviceaccount:default:builder",
        })
    );
    let user = world.ask(&token, URL).unwrap().unwrap().user;
    assert_eq!(user.name, "system:serviceaccount:default:builder");
    assert_eq!(user.uid, "a1");
    assert_eq!(
        user.groups,
        ["system:serviceaccounts", "system:serviceaccounts:default"]
    );
    let extra: Vec<_> = user.extra.iter().map(|(k, v)| (&**k, &*v[0])).collect();
    assert_eq!(
        extra,
        [
            (
                "authentication.kubernetes.io/credential-id",
                "JTI=00000000-0000-4000-8000-000000000007"
            ),
            ("authentication.kubernetes.io/node-name", "n1"),
            ("authentication.kubernetes.io/node-uid", "n1-uid"),
            ("authentication.kubernetes.io/pod-name", "web"),
            ("authentication.kubernetes.io/pod-uid", "p1"),
        ]
    );
}

#[test]
fn a_token_dies_with_its_time() {
    let world = World::new();
    let token = world.token(Bound::Nothing, &[URL], 600);
    world.pass(599);
    assert!(world.ask(&token, URL).unwrap().is_some());
    world.pass(1);
    world.refuses(&token, "service account token has expired");
    world.pass(-601);
    world.refuses(&token, "service account token is not valid yet");
}

#[test]
fn the_injected_token_lives_a_year_and_warns_after_an_hour() {
    let world = World::new();
    let token = world.token(pod(), &[URL], INJECTED_EXPIRATION);
    let claims = world.issuer.verified(&token).unwrap().unwrap();
    assert_eq!(claims["kubernetes.io"]["warnafter"], START + 3607);
    world.pass(364 * 24 * 3600);
    assert!(world.ask(&token, URL).unwrap().is_some());
    // Not for others' audiences, and not without a pod.
    for (bound, audience) in [(pod(), "vault"), (Bound::Nothing, URL)] {
        let token = world.token(bound, &[audience], INJECTED_EXPIRATION);
        world.pass(3607);
        assert!(world.ask(&token, audience).is_err());
    }
}

#[test]
fn a_token_is_for_its_audiences_alone() {
    let world = World::new();
    let token = world.token(Bound::Nothing, &["vault", "mesh"], 600);
    let found = world.ask(&token, "vault").unwrap().unwrap();
    assert_eq!(found.audiences, ["vault"]);
    world.refuses(
        &token,
        "token audiences [\"vault\", \"mesh\"] is invalid for the target audiences \
         [\"https://kubernetes.default.svc.cluster.local\"]",
    );
}

#[test]
fn a_token_dies_with_what_it_is_bound_to() {
    let cases = [
        (pod(), "pods", "web", "pod"),
        (
            Bound::Secret(reference("s", "s1")),
            "secrets",
            "s",
            "secret",
        ),
        (
            Bound::Node(reference("n1", "n1-uid")),
            "nodes",
            "n1",
            "node",
        ),
    ];
    for (bound, resource, name, what) in cases {
        let world = World::new();
        let token = world.token(bound, &[URL], 3600);
        assert!(world.ask(&token, URL).unwrap().is_some(), "{what}");
        let found = world.object(resource, "", name).unwrap();
        let other = json!({ "metadata": { "name": name, "uid": "u2" } });
        world.put(resource, name, other);
        let refusal = format!(
            "{what} UID (u2) does not match service account {what} ref claim ({})",
            found.uid()
        );
        world.refuses(&token, &refusal);
        world.remove(resource, name);
        world.refuses(&token, "service account token has been invalidated");
    }
    let world = World::new();
    let token = world.token(pod(), &[URL], 3600);
    world.remove("nodes", "n1");
    assert!(
        world.ask(&token, URL).unwrap().is_some(),
        "a pod outlives its node object"
    );
    world.remove("serviceaccounts", "builder");
    world.refuses(&token, "serviceaccounts \"builder\" not found");
}

#[test]
fn what_is_being_deleted_counts_for_a_minute() {
    let world = World::new();
    let token = world.token(pod(), &[URL], 3600);
    let now = Timestamp::from_second(START).unwrap();
    let since = |seconds| (now - SignedDuration::from_secs(seconds)).to_string();
    let mut going =
        json!({ "metadata": { "name": "web", "uid": "p1", "deletionTimestamp": since(59) } });
    world.put("pods", "web", going.clone());
    assert!(world.ask(&token, URL).unwrap().is_some());
    going["metadata"]["deletionTimestamp"] = since(61).into();
    world.put("pods", "web", going);
    world.refuses(&token, "service account token has been invalidated");
}

#[test]
fn what_another_key_signed_is_refused_and_another_issuers_is_not_our_business() {
    let (world, stranger) = (World::new(), World::new());
    let forged = stranger.token(Bound::Nothing, &[URL], 600);
    world.refuses(&forged, "the token's signature is not ours");
    let key = world.issuer.key.clone();
    let elsewhere = TokenIssuer::new(key, "https://elsewhere", world.issuer.environment.clone());
    let grant = Grant {
        namespace: "default",
        account: reference("builder", "a1"),
        bound: Bound::Nothing,
        audiences: &[URL.to_owned()],
        expiration: 600,
    };
    let token = elsewhere.issue(&grant).unwrap();
    assert_eq!(world.ask(&token, URL), Ok(None));
    assert_eq!(world.ask("abc.def", URL), Ok(None));
}

#[test]
fn a_secrets_token_lives_as_long_as_the_secret_holds_it() {
    let world = World::new();
    let account = reference("builder", "a1");
    let token = world.issuer.issue_legacy("default", &account, "s").unwrap();
    let holding = |token: &str, labels: Value| {
        let data = json!({ "token": STANDARD.encode(token) });
        json!({ "metadata": { "name": "s", "uid": "s1", "labels": labels }, "data": data })
    };
    world.refuses(&token, "Token does not match server's copy");
    world.put("secrets", "s", holding(&token, json!({})));
    world.pass(10 * 365 * 24 * 3600);
    let found = world.ask(&token, URL).unwrap().unwrap();
    assert_eq!(found.user.name, "system:serviceaccount:default:builder");
    assert_eq!(found.audiences, [URL]);
    assert!(world.ask(&token, "vault").is_err());
    let stale = json!({ "kubernetes.io/legacy-token-invalid-since": "2026-01-01" });
    world.put("secrets", "s", holding(&token, stale));
    let refusal = world.ask(&token, URL).unwrap_err();
    assert!(
        refusal.contains("has been marked invalid since 2026-01-01"),
        "{refusal}"
    );
    world.remove("secrets", "s");
    world.refuses(&token, "Token has been invalidated");
}
