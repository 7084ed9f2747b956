//! A server in process, for tests of what plugins make of requests.

use std::sync::Arc;

use http::Method;
use k8s_store::memory::MemoryStore;
use serde_json::{Value, json};

use super::Admission;
use crate::{ApiServer, User, builder::Builder};

/// A server, and an administrator who calls it.
pub(super) struct Cluster(kube::Client);

impl Cluster {
    /// With the default plugins, but for service accounts, which nobody makes here.
    pub(super) async fn start() -> Self {
        let server = ApiServer::builder(Arc::new(MemoryStore::new()));
        Self::of(server.without_service_accounts()).await
    }

    /// With one more plugin, which is off by default.
    pub(super) async fn with(plugin: impl Admission) -> Self {
        let server = ApiServer::builder(Arc::new(MemoryStore::new()));
        Self::of(
            server
                .without_service_accounts()
                .admission(Arc::new(plugin)),
        )
        .await
    }

    /// Of a server as it is put together here.
    pub(super) async fn of(server: Builder) -> Self {
        let server = server.build().await.expect("the server starts");
        let admin = User::new("admin").in_group("kubeadm:cluster-admins");
        Cluster(server.client(admin))
    }

    /// Creates an object, or posts to a subresource; the error is the status' message.
    pub(super) async fn post(&self, uri: &str, object: Value) -> Result<Value, String> {
        self.send(Method::POST, uri, object).await
    }

    /// Replaces an object, or a part of it.
    pub(super) async fn put(&self, uri: &str, object: Value) -> Result<Value, String> {
        self.send(Method::PUT, uri, object).await
    }

    /// Reads an object.
    pub(super) async fn get(&self, uri: &str) -> Result<Value, String> {
        self.send(Method::GET, uri, Value::Null).await
    }

    /// Deletes an object.
    pub(super) async fn delete(&self, uri: &str) -> Result<Value, String> {
        self.send(Method::DELETE, uri, json!({})).await
    }

    /// Creates the pod `p` of one container with these fields merged into it.
    pub(super) async fn pod(&self, fields: Value) -> Result<Value, String> {
        let mut pod = json!({
            "metadata": { "name": "p" },
            "spec": { "containers": [{ "name": "c", "image": "i" }] },
        });
        merge(&mut pod, fields);
        self.post("/api/v1/namespaces/default/pods", pod).await
    }

    async fn send(&self, method: Method, uri: &str, body: Value) -> Result<Value, String> {
        let request = http::Request::builder().method(method).uri(uri);
        let body = match body {
            Value::Null => Vec::new(),
            body => body.to_string().into_bytes(),
        };
        let request = request.body(body).expect("a request");
        let answer = self.0.request::<Value>(request).await;
        answer.map_err(|error| match error {
            kube::Error::Api(status) => status.message.clone(),
            other => panic!("{other}"),
        })
    }
}

/// Puts fields into an object; what is there already is replaced.
pub(super) fn merge(into: &mut Value, fields: Value) {
    match (into, fields) {
        (Value::Object(into), Value::Object(fields)) => {
            for (key, value) in fields {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, value) => *into = value,
    }
}
