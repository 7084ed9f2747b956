//! `/version`: which Kubernetes this is.

use http::{HeaderValue, Method, header};
use k8s_openapi::apimachinery::pkg::version::Info;

use crate::{
    ApiError, Request, RequestInfo, Response, body,
    layer::{Handler, Step},
    metrics::Exposition,
};

/// The minor version of Kubernetes whose API is served.
pub const MINOR: &str = "37";

/// Answers `/version`.
#[derive(Debug, Clone, Copy)]
pub struct Version;

impl Step for Version {
    async fn handle<N: Handler>(&self, request: Request, next: N) -> Result<Response, ApiError> {
        if RequestInfo::of(&request).path.trim_end_matches('/') != "/version" {
            return Ok(next.run(request).await);
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(ApiError::MethodNotAllowed);
        }
        let json = serde_json::to_vec_pretty(&info()).map_err(ApiError::internal)?;
        let mut response = Response::new(body::full(json));
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        Ok(response)
    }
}

/// Kubernetes' version facts. The fields named after Go tell what this server is built with
/// instead.
pub fn info() -> Info {
    let text = |text: &str| Some(text.to_owned());
    Info {
        major: "1".to_owned(),
        minor: MINOR.to_owned(),
        emulation_major: text("1"),
        emulation_minor: text(MINOR),
        min_compatibility_major: text("1"),
        min_compatibility_minor: text("36"),
        git_version: format!("v1.{MINOR}.0"),
        git_commit: String::new(),
        git_tree_state: "archive".to_owned(),
        // Kubernetes' own value for builds that don't stamp a date.
        build_date: "1970-01-01T00:00:00Z".to_owned(),
        go_version: concat!("rust", env!("CARGO_PKG_RUST_VERSION")).to_owned(),
        compiler: "rustc".to_owned(),
        platform: format!("{}/{}", std::env::consts::OS, architecture()),
    }
}

/// Writes the same facts as a figure, as dashboards join them to others.
pub(crate) fn expose(out: &mut Exposition) {
    let info = info();
    out.family(
        "kubernetes_build_info",
        "gauge",
        "A metric with a constant '1' value labeled by what this server is and is built with.",
    )
    .sample(
        &[
            ("build_date", info.build_date.as_str()),
            ("compiler", &info.compiler),
            ("git_commit", &info.git_commit),
            ("git_tree_state", &info.git_tree_state),
            ("git_version", &info.git_version),
            ("go_version", &info.go_version),
            ("major", &info.major),
            ("minor", &info.minor),
            ("platform", &info.platform),
        ],
        1,
    );
}

/// The processor in Go's words, which image and download tools compare with.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
