//! An API server in this process, asked by an administrator.

use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use k8s_apimachinery::scheme::Gvk;
use k8s_apiserver::{ApiServer, User};
use k8s_store::memory::MemoryStore;
use kube::client::Body;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

/// A server without sockets and a client of it.
pub(crate) struct Server {
    runtime: Runtime,
    client: kube::Client,
}

impl Server {
    pub(crate) fn start() -> Server {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let store = Arc::new(MemoryStore::new());
        let builder = ApiServer::builder(store).without_service_accounts();
        let server = runtime.block_on(builder.build()).expect("a server");
        let admin = User::new("admin").in_group("kubeadm:cluster-admins");
        let client = runtime.block_on(async { server.client(admin) });
        Server { runtime, client }
    }

    /// The answer to a request; `types` are those of the body and of the answer, with a space between.
    /// Fails on what is no request.
    pub(crate) fn ask(
        &self,
        method: Method,
        path: &str,
        types: &str,
        body: &[u8],
    ) -> Result<(StatusCode, Bytes)> {
        let (content_type, accept) = types.split_once(' ').unwrap_or((types, "application/json"));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, content_type)
            .header(header::ACCEPT, accept)
            .body(Body::from(body.to_vec()))?;
        self.runtime.block_on(async {
            let response = self.client.send(request).await?;
            let status = response.status();
            Ok((status, response.into_body().collect().await?.to_bytes()))
        })
    }

    /// The path of a kind's objects, in the namespace `default` if they have one.
    pub(crate) fn collection(&self, gvk: &Gvk) -> Result<String> {
        let root = match gvk.group.as_str() {
            "" => format!("/api/{}", gvk.version),
            group => format!("/apis/{group}/{}", gvk.version),
        };
        let (_, list) = self.ask(Method::GET, &root, "", b"")?;
        let list: Value = serde_json::from_slice(&list)?;
        let resources = list["resources"]
            .as_array()
            .context("a list of resources")?;
        let found = resources.iter().find(|resource| {
            resource["kind"] == gvk.kind
                && !resource["name"]
                    .as_str()
                    .is_some_and(|name| name.contains('/'))
        });
        let found = found.with_context(|| format!("{gvk} is not served"))?;
        let name = found["name"].as_str().unwrap_or_default();
        Ok(match found["namespaced"] == true {
            true => format!("{root}/namespaces/default/{name}"),
            false => format!("{root}/{name}"),
        })
    }
}
