//! Lets a server that stops finish what it serves, and sends those who come too late elsewhere.
//!
//! They get what Kubernetes answers then: 429 with `Retry-After`, and a connection that closes, so
//! that the next attempt finds another server or this one when it is back. Probes are answered to the end.

use std::time::Duration;

use http::{HeaderValue, header};

use super::{Handler, Step, deadline::Closing, request_info::RequestInfo};
use crate::{ApiError, Request, Response, flow::too_many, task::Tasks};

/// For how long who comes too late is asked to stay away.
const AWAY: Duration = Duration::from_secs(5);

/// What is answered to the end.
const PROBES: [&str; 3] = ["/healthz", "/livez", "/readyz"];

/// Keeps the server from stopping while it serves.
#[derive(Debug, Clone)]
pub struct Retire(pub Tasks);

impl Step for Retire {
    async fn handle<N: Handler>(&self, request: Request, next: N) -> Result<Response, ApiError> {
        let info = RequestInfo::of(&request);
        let listener = request.extensions().get::<Closing>();
        let closing = listener.map_or(self.0.closed(), |Closing(token)| token);
        let is_probe = PROBES.iter().any(|probe| info.path.starts_with(probe));
        if closing.is_cancelled() && !is_probe {
            let text = "The apiserver is shutting down, please try again later.\n";
            let mut response = too_many(text, AWAY);
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
            return Ok(response);
        }
        // Long-running ones are ended, not waited for.
        let unfinished = (!info.is_long_running()).then(|| self.0.unfinished());
        let response = next.run(request).await;
        drop(unfinished);
        Ok(response)
    }
}
