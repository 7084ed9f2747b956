//! `/healthz`, `/livez` and `/readyz`: how the server is, for people, probes and load balancers.
//!
//! Each is `ok` as plain text if all its checks pass, else 500 with a line per check. `?verbose`
//! shows the lines anyway, `?exclude=name` leaves checks out, and `/readyz/name` asks for one
//! alone. Why a check fails is in the log and not in the answer, since anyone may ask.

use std::{fmt::Write, sync::Arc};

use http::{HeaderValue, Method, StatusCode, header};
use tokio_util::sync::CancellationToken;

use crate::{
    ApiError, Request, RequestInfo, Response, body,
    layer::{Handler, Step},
};

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
    probe: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
}

impl Health {
    /// `ping`, which passes whenever anyone can ask.
    pub fn new() -> Self {
        Health::default().live("ping", || Ok(()))
    }

    /// Adds a check whose failing means that the server should be restarted.
    pub fn live(
        self,
        name: &'static str,
        probe: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.check(name, true, Arc::new(probe))
    }

    /// Adds a check whose failing means that the server shouldn't get requests for now.
    pub fn ready(
        self,
        name: &'static str,
        probe: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.check(name, false, Arc::new(probe))
    }

    /// Adds `shutdown`: not ready once the server is stopping.
    pub fn until(self, stopping: CancellationToken) -> Self {
        self.ready("shutdown", move || {
            if stopping.is_cancelled() {
                Err("stopping".to_owned())
            } else {
                Ok(())
            }
        })
    }

    /// Whether all checks pass.
    pub fn is_ready(&self) -> bool {
        self.checks.iter().all(|check| (check.probe)().is_ok())
    }

    fn check(
        mut self,
        name: &'static str,
        is_vital: bool,
        probe: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
    ) -> Self {
        self.checks.push(Check {
            name,
            is_vital,
            probe,
        });
        self
    }

    /// The answer for a path of ours.
    fn report(&self, info: &RequestInfo) -> Option<Result<Response, ApiError>> {
        let (endpoint, name) = match info.path.strip_prefix('/')?.split_once('/') {
            Some((endpoint, name)) => (endpoint, name),
            None => (&info.path[1..], ""),
        };
        let wanted = |check: &&Check| match endpoint {
            "livez" => check.is_vital,
            _ => true,
        };
        if !["healthz", "livez", "readyz"].contains(&endpoint) {
            return None;
        }
        let mut checks = self.checks.iter().filter(wanted);
        if name.is_empty() {
            return Some(Ok(all(endpoint, checks, info)));
        }
        Some(
            checks
                .find(|check| check.name == name)
                .map(one)
                .ok_or(ApiError::NoSuchResource),
        )
    }
}

impl Step for Health {
    async fn handle<N: Handler>(&self, request: Request, next: N) -> Result<Response, ApiError> {
        let info = RequestInfo::of(&request);
        match self.report(&info) {
            Some(_) if !matches!(*request.method(), Method::GET | Method::HEAD) => {
                Err(ApiError::MethodNotAllowed)
            }
            Some(answer) => answer,
            None => Ok(next.run(request).await),
        }
    }
}

impl Check {
    fn passes(&self) -> bool {
        (self.probe)()
            .inspect_err(|reason| tracing::warn!(check = self.name, reason, "health check failed"))
            .is_ok()
    }
}

fn one(check: &Check) -> Response {
    match check.passes() {
        true => text(StatusCode::OK, "ok".to_owned()),
        false => text(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal server error: reason withheld\n".to_owned(),
        ),
    }
}

fn all<'a>(
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
        } else if check.passes() {
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

    use super::*;

    fn check(uri: &str, expected: Expect) {
        let health = Health::new()
            .live("store", || Ok(()))
            .ready("caches", || Err("on /secret/path".into()));
        let info = RequestInfo::parse(&Method::GET, &uri.parse().unwrap()).unwrap();
        let found = match health.report(&info) {
            Some(Ok(response)) => {
                let status = response.status().as_u16();
                let body = futures::executor::block_on(response.into_body().collect())
                    .unwrap()
                    .to_bytes();
                format!("{status} {}", String::from_utf8_lossy(&body))
            }
            Some(Err(error)) => error.to_string(),
            None => "not ours".to_owned(),
        };
        expected.assert_eq(&found);
    }

    #[test]
    fn a_healthy_server_says_ok() {
        check("/livez", expect!["200 ok"]);
        check(
            "/livez?verbose",
            expect![[r#"
                200 [+]ping ok
                [+]store ok
                livez check passed
            "#]],
        );
    }

    #[test]
    fn a_failing_check_keeps_its_reason_to_itself() {
        check(
            "/readyz",
            expect![[r#"
                500 [+]ping ok
                [+]store ok
                [-]caches failed: reason withheld
                readyz check failed
            "#]],
        );
        check("/readyz?exclude=caches", expect!["200 ok"]);
    }

    #[test]
    fn checks_can_be_asked_one_by_one() {
        check("/readyz/ping", expect!["200 ok"]);
        check(
            "/readyz/caches",
            expect![[r#"
                500 internal server error: reason withheld
            "#]],
        );
        check(
            "/livez/caches",
            expect!["the server could not find the requested resource"],
        );
        check("/api", expect!["not ours"]);
    }
}
