//! `/healthz`, `/livez` and `/readyz`: how the server is, for people, probes and load balancers.
//!
//! Each is `ok` as plain text if all its checks pass, else 500 with a line per check. `?verbose`
//! shows the lines anyway, `?exclude=name` leaves checks out, and `/readyz/name` asks for one
//! alone. Why a check fails is in the log and not in the answer, since anyone may ask.

use std::{fmt::Write, sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use http::{HeaderValue, Method, StatusCode, header};
use k8s_store::Store;
use tokio::time::timeout;

use crate::{
    ApiError, Request, RequestInfo, Response, body,
    layer::{Handler, Step},
    task::Tasks,
};

/// A store that takes longer than this to say that it is well is not.
const STORE_PATIENCE: Duration = Duration::from_secs(2);

/// The checks of one server.
#[derive(Clone, Default)]
pub struct Health {
    checks: Vec<Check>,
}

#[derive(Clone)]
struct Check {
    name: &'static str,
    /// Failing means that a restart would help. All checks tell about readiness.
    is_vital: bool,
    probe: Arc<Probe>,
}

type Probe = dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync;

impl Health {
    /// `ping`, which passes whenever anyone can ask.
    pub fn new() -> Self {
        Health::default().live("ping", async || Ok(()))
    }

    /// Adds a check whose failing means that the server should be restarted.
    pub fn live<F>(self, name: &'static str, probe: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.check(name, true, Arc::new(move || probe().boxed()))
    }

    /// Adds a check whose failing means that the server shouldn't get requests for now.
    pub fn ready<F>(self, name: &'static str, probe: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.check(name, false, Arc::new(move || probe().boxed()))
    }

    /// Adds `shutdown`: not ready once the server, or one of its listeners, is about to close.
    pub fn until(self, tasks: Tasks) -> Self {
        self.ready("shutdown", move || {
            let outcome = match tasks.is_staying() {
                true => Ok(()),
                false => Err("shutting down".to_owned()),
            };
            async { outcome }
        })
    }

    /// Adds `etcd`, as the check of the store is called in Kubernetes whatever the engine.
    pub fn over(self, store: Arc<dyn Store>) -> Self {
        self.live("etcd", move || {
            let store = store.clone();
            async move {
                match timeout(STORE_PATIENCE, store.health()).await {
                    Ok(healthy) => healthy.map_err(|error| error.to_string()),
                    Err(_) => Err(format!("no answer in {STORE_PATIENCE:?}")),
                }
            }
        })
    }

    fn check(mut self, name: &'static str, is_vital: bool, probe: Arc<Probe>) -> Self {
        self.checks.push(Check {
            name,
            is_vital,
            probe,
        });
        self
    }

    /// The answer for a path of ours.
    async fn report(&self, info: &RequestInfo, asked: Asked<'_>) -> Result<Response, ApiError> {
        let Asked { endpoint, name } = asked;
        let wanted = |check: &&Check| check.is_vital || endpoint != "livez";
        let mut checks = self.checks.iter().filter(wanted);
        if name.is_empty() {
            return Ok(all(endpoint, checks, info).await);
        }
        match checks.find(|check| check.name == name) {
            Some(check) => Ok(one(check).await),
            None => Err(ApiError::NoSuchResource),
        }
    }
}

impl Step for Health {
    async fn handle<N: Handler>(&self, request: Request, next: N) -> Result<Response, ApiError> {
        let info = RequestInfo::of(&request);
        match Asked::by(&info) {
            Some(_) if !matches!(*request.method(), Method::GET | Method::HEAD) => {
                Err(ApiError::MethodNotAllowed)
            }
            Some(asked) => self.report(&info, asked).await,
            None => Ok(next.run(request).await),
        }
    }
}

/// An endpoint of ours, and the name of one check; empty for all.
struct Asked<'a> {
    endpoint: &'a str,
    name: &'a str,
}

impl<'a> Asked<'a> {
    fn by(info: &'a RequestInfo) -> Option<Self> {
        let path = info.path.strip_prefix('/')?;
        let (endpoint, name) = path.split_once('/').unwrap_or((path, ""));
        let is_ours = ["healthz", "livez", "readyz"].contains(&endpoint);
        is_ours.then_some(Asked { endpoint, name })
    }
}

impl Check {
    async fn passes(&self) -> bool {
        (self.probe)()
            .await
            .inspect_err(|reason| tracing::warn!(check = self.name, reason, "health check failed"))
            .is_ok()
    }
}

async fn one(check: &Check) -> Response {
    match check.passes().await {
        true => text(StatusCode::OK, "ok".to_owned()),
        false => text(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal server error: reason withheld\n".to_owned(),
        ),
    }
}

async fn all<'a>(
    endpoint: &str,
    checks: impl Iterator<Item = &'a Check>,
    info: &RequestInfo,
) -> Response {
    let excluded: Vec<&str> = info
        .params("exclude")
        .flat_map(|names| names.split(','))
        .collect();
    let mut lines = String::new();
    let mut healthy = true;
    for check in checks {
        let name = check.name;
        let (sign, outcome) = if excluded.contains(&name) {
            ('+', "excluded: ok")
        } else if check.passes().await {
            ('+', "ok")
        } else {
            healthy = false;
            ('-', "failed: reason withheld")
        };
        // Writing to a string can't fail.
        let _ = writeln!(lines, "[{sign}]{name} {outcome}");
    }
    match (healthy, info.param("verbose").is_some()) {
        (true, false) => text(StatusCode::OK, "ok".to_owned()),
        (true, true) => text(StatusCode::OK, format!("{lines}{endpoint} check passed\n")),
        (false, _) => text(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("{lines}{endpoint} check failed\n"),
        ),
    }
}

fn text(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(body::full(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use http_body_util::BodyExt;
    use k8s_store::memory::MemoryStore;

    use super::*;

    async fn check(uri: &str, expected: Expect) {
        let health = Health::new()
            .over(Arc::new(MemoryStore::new()))
            .ready("caches", async || Err("on /secret/path".into()));
        let info = RequestInfo::parse(&Method::GET, &uri.parse().unwrap()).unwrap();
        let found = match Asked::by(&info).map(|asked| health.report(&info, asked)) {
            Some(report) => match report.await {
                Ok(response) => {
                    let status = response.status().as_u16();
                    let body = response.into_body().collect().await.unwrap().to_bytes();
                    format!("{status} {}", String::from_utf8_lossy(&body))
                }
                Err(error) => error.to_string(),
            },
            None => "not ours".to_owned(),
        };
        expected.assert_eq(&found);
    }

    #[tokio::test]
    async fn a_healthy_server_says_ok() {
        check("/livez", expect!["200 ok"]).await;
        check(
            "/livez?verbose",
            expect![[r#"
                200 [+]ping ok
                [+]etcd ok
                livez check passed
            "#]],
        )
        .await;
    }

    #[tokio::test]
    async fn a_failing_check_keeps_its_reason_to_itself() {
        check(
            "/readyz",
            expect![[r#"
                500 [+]ping ok
                [+]etcd ok
                [-]caches failed: reason withheld
                readyz check failed
            "#]],
        )
        .await;
        check("/readyz?exclude=caches", expect!["200 ok"]).await;
    }

    #[tokio::test]
    async fn checks_can_be_asked_one_by_one() {
        check("/readyz/ping", expect!["200 ok"]).await;
        check(
            "/readyz/caches",
            expect![[r#"
                500 internal server error: reason withheld
            "#]],
        )
        .await;
        check(
            "/livez/caches",
            expect!["the server could not find the requested resource"],
        )
        .await;
        check("/api", expect!["not ours"]).await;
    }
}
