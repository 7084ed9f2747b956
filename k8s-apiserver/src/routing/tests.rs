//! The API as a client sees it, in process on the memory engine.

mod address;
mod crud;
mod document;
mod eviction;
mod kind;
mod lifecycle;
mod list_watch;
mod patch;
mod priority;
mod protobuf;
mod quota;
mod service;
mod subresource;
mod version;
mod websocket;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, BodyStream};
use jiff::{SignedDuration, Timestamp};
use k8s_store::memory::MemoryStore;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::Router;
use crate::{
    Body, Request, RequestInfo, User,
    admission::default_plugins,
    body,
    flow::{self, FlowControl, Limits},
    registry::{Environment, Registry, RegistryConfig, bootstrap, builtin_strategies},
};

/// A server without layers: everybody may do everything.
pub(super) struct Api {
    router: Router,
    _running: tokio_util::sync::DropGuard,
}

/// An answer, read whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A clock that goes one second per reading, and numbers in order: every run is the same.
#[derive(Default)]
struct Scripted(AtomicU64);

impl Environment for Scripted {
    fn now(&self) -> Timestamp {
        let seconds = self.0.load(Ordering::Relaxed);
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds as i64)
    }

    fn random(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed)) * 7_919
    }
}

impl Api {
    /// A server with all built-in kinds, default admission and the bootstrap objects.
    pub(super) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// The same, configured otherwise.
    pub(super) async fn start_with(configure: impl FnOnce(&mut RegistryConfig)) -> Self {
        let cancel = CancellationToken::new();
        let mut config = RegistryConfig {
            strategies: builtin_strategies(),
            admission: default_plugins(),
            environment: Arc::new(Scripted::default()),
            ..RegistryConfig::default()
        };
        configure(&mut config);
        let store = Arc::new(MemoryStore::new());
        let registry = Registry::start(store, config, cancel.clone())
            .await
            .unwrap();
        bootstrap::run(&registry, &bootstrap::Policy::default())
            .await
            .unwrap();
        flow::configure(&registry, &FlowControl::new(&Limits::default())).await;
        let api = Api {
            router: Router::new(registry),
            _running: cancel.drop_guard(),
        };
        let account = json!({ "metadata": { "name": "default" } });
        let made = api
            .post("/api/v1/namespaces/default/serviceaccounts", account)
            .await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        api
    }

    pub(super) async fn get(&self, uri: &str) -> Answer {
        self.send("GET", uri, &[], "").await
    }

    pub(super) async fn get_as(&self, uri: &str, accept: &str) -> Answer {
        self.send("GET", uri, &[("accept", accept)], "").await
    }

    pub(super) async fn post(&self, uri: &str, value: Value) -> Answer {
        self.send("POST", uri, &[], &value.to_string()).await
    }

    pub(super) async fn put(&self, uri: &str, value: Value) -> Answer {
        self.send("PUT", uri, &[], &value.to_string()).await
    }

    pub(super) async fn delete(&self, uri: &str) -> Answer {
        self.send("DELETE", uri, &[], "").await
    }

    pub(super) async fn delete_with(&self, uri: &str, options: Value) -> Answer {
        self.send("DELETE", uri, &[], &options.to_string()).await
    }

    pub(super) async fn patch(&self, uri: &str, language: &str, value: Value) -> Answer {
        let media_type = match language {
            "apply" => "application/apply-patch+yaml".to_owned(),
            other => format!("application/{other}+json"),
        };
        self.send(
            "PATCH",
            uri,
            &[("content-type", &media_type)],
            &value.to_string(),
        )
        .await
    }

    pub(super) async fn send(
        &self,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        text: &str,
    ) -> Answer {
        let response = self.open(method, uri, headers, text).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    async fn open(
        &self,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        text: &str,
    ) -> http::Response<Body> {
        let mut request = Request::new(body::full(text.to_owned()));
        *request.method_mut() = method.parse().unwrap();
        *request.uri_mut() = uri.parse().unwrap();
        for (name, value) in headers {
            let name: http::HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        let info = RequestInfo::parse(request.method(), request.uri()).unwrap();
        request.extensions_mut().insert(Arc::new(info));
        request
            .extensions_mut()
            .insert(Arc::new(User::new("tester")));
        let service = self.router.clone();
        service.oneshot(request).await.unwrap()
    }

    pub(super) async fn watch(&self, uri: &str) -> Frames {
        self.watch_as(uri, "application/json").await
    }

    pub(super) async fn watch_as(&self, uri: &str, accept: &str) -> Frames {
        let response = self.open("GET", uri, &[("accept", accept)], "").await;
        assert_eq!(response.status(), StatusCode::OK);
        Frames(BodyStream::new(response.into_body()))
    }
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// `409 AlreadyExists: message`, to compare failures in one line.
    pub(super) fn failure(&self) -> String {
        let status = self.json();
        let text = |field: &str| status[field].as_str().unwrap_or("-").to_owned();
        format!(
            "{} {}: {}",
            self.status.as_u16(),
            text("reason"),
            text("message")
        )
    }

    #[track_caller]
    pub(super) fn ok(self) -> Value {
        assert!(self.status.is_success(), "{}", self.failure());
        self.json()
    }
}

/// The frames of a watch.
pub(super) struct Frames(BodyStream<Body>);

impl Frames {
    /// The next frame; waits for it.
    pub(super) async fn next(&mut self) -> Value {
        let frame = self.0.next().await.expect("the watch goes on").unwrap();
        serde_json::from_slice(frame.data_ref().unwrap()).unwrap()
    }

    /// The next frame as it is sent; waits for it.
    pub(super) async fn next_bytes(&mut self) -> Bytes {
        let frame = self.0.next().await.expect("the watch goes on").unwrap();
        frame.into_data().expect("a watch has no trailers")
    }

    /// `ADDED name`, short enough for tables.
    pub(super) async fn next_name(&mut self) -> String {
        let frame = self.next().await;
        let name = frame["object"]["metadata"]["name"].as_str().unwrap_or("-");
        format!("{} {name}", frame["type"].as_str().unwrap_or("-"))
    }

    /// Whether no frame is there yet.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.0.next().now_or_never().is_none()
    }
}

/// A pod with one container.
pub(super) fn pod(name: &str) -> Value {
    json!({
        "metadata": { "name": name, "labels": { "app": name } },
        "spec": { "containers": [{ "name": "c", "image": "i" }] },
    })
}

/// A config map.
pub(super) fn config_map(name: &str, value: &str) -> Value {
    json!({ "metadata": { "name": name }, "data": { "key": value } })
}

pub(super) const PODS: &str = "/api/v1/namespaces/default/pods";
pub(super) const MAPS: &str = "/api/v1/namespaces/default/configmaps";
