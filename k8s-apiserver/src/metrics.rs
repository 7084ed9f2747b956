//! `/metrics`: what was asked for, how often, and how long it took, in Prometheus' text form and
//! under Kubernetes' names.
//!
//! Every part that keeps figures registers as a source, and writes them when somebody asks: requests
//! ([`request`]) and the process ([`process`]) are always there, flow control and the registry join
//! when a server is built, and an embedder adds its own.

pub(crate) mod admission;
mod exposition;
mod histogram;
pub(crate) mod objects;
pub mod process;
pub mod request;

use std::{fmt, sync::Arc};

use http::{HeaderValue, Method, header};

pub use exposition::{Exposition, Labels};
pub use histogram::Histogram;
pub use request::Measure;
use request::Requests;

use crate::{
    ApiError, Request, RequestInfo, Response, body,
    layer::{Handler, Step},
    version,
};

/// The figures of one server; clones share those of requests.
#[derive(Clone, Default)]
pub struct Metrics {
    requests: Arc<Requests>,
    sources: Vec<Arc<Source>>,
}

type Source = dyn Fn(&mut Exposition) + Send + Sync;

impl Metrics {
    /// Shows one more counter, read whenever somebody asks.
    #[must_use]
    pub fn counter(
        self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Self {
        self.source(move |out| {
            out.family(name, "counter", help).sample(&[], read());
        })
    }

    /// Shows whatever a source writes whenever somebody asks.
    #[must_use]
    pub fn source(mut self, write: impl Fn(&mut Exposition) + Send + Sync + 'static) -> Self {
        self.sources.push(Arc::new(write));
        self
    }
}

/// Answers `/metrics`.
impl Step for Metrics {
    async fn handle<N: Handler>(&self, request: Request, next: N) -> Result<Response, ApiError> {
        if RequestInfo::of(&request).path != "/metrics" {
            return Ok(next.run(request).await);
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(ApiError::MethodNotAllowed);
        }
        let mut response = Response::new(body::full(self.to_string()));
        let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, text);
        Ok(response)
    }
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Exposition::default();
        self.requests.expose(&mut out);
        process::expose(&mut out);
        version::expose(&mut out);
        for write in &self.sources {
            write(&mut out);
        }
        f.write_str(&out.into_text())
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("sources", &self.sources.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use k8s_store::memory::MemoryStore;
    use kube::{Api, api::PostParams};

    use super::*;
    use crate::{ApiServer, User};

    #[tokio::test]
    async fn a_whole_server_shows_what_its_parts_know() {
        let server = ApiServer::builder(Arc::new(MemoryStore::new()));
        let server = server.build().await.unwrap();
        let client = server.client(User::new("root").in_group("kubeadm:cluster-admins"));
        let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
        let mut map = ConfigMap::default();
        map.metadata.name = Some("c".to_owned());
        maps.create(&PostParams::default(), &map).await.unwrap();
        let request = http::Request::get("/metrics").body(Vec::new()).unwrap();
        let text = client.request_text(request).await.unwrap();
        for line in [
            r#"apiserver_request_total{code="201",component="apiserver",dry_run="",group="",resource="configmaps",scope="resource",subresource="",verb="POST",version="v1"} 1"#,
            r#"apiserver_resource_objects{group="",resource="namespaces"} 4"#,
            r#"apiserver_storage_objects{resource="flowschemas.flowcontrol.apiserver.k8s.io"} 13"#,
            r#"apiserver_admission_controller_admission_duration_seconds_count{name="NamespaceLifecycle",operation="CREATE",rejected="false",type="validate"} "#,
            r#"apiserver_flowcontrol_nominal_limit_seats{priority_level="workload-low"} 245"#,
            "process_open_fds ",
            "kubernetes_build_info{",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        // A family is written once, whatever the number of its sources.
        let mut families: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("# TYPE"))
            .collect();
        let count = families.len();
        families.sort_unstable();
        families.dedup();
        assert_eq!(families.len(), count);
        server.stop().await;
    }
}
