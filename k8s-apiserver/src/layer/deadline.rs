//! When a request ends, if nothing ends it earlier.
//!
//! Short requests end at their deadline: a minute, or less if `?timeout=` asks for less.
//! Long-running ones (watches, logs, exec) have no deadline, but end when the server stops, so that
//! stopping doesn't wait for them.

use std::time::Duration;

use futures::StreamExt;
use http_body_util::BodyStream;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{Handler, Step, request_info::RequestInfo};
use crate::{ApiError, Request, Response, body};

/// The longest that a short request may take, unless configured otherwise.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Bounds each request in time.
#[derive(Debug, Clone)]
pub struct Deadline {
    /// For short requests.
    pub limit: Duration,
    /// Ends long-running ones.
    pub stopping: CancellationToken,
}

/// Ends the long-running requests of one listener; set on its requests, in place of
/// [`Deadline::stopping`].
#[derive(Debug, Clone)]
pub(crate) struct Closing(pub(crate) CancellationToken);

/// When a short request ends; set on it, for whoever has to divide its time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due(pub(crate) Instant);

impl Step for Deadline {
    async fn handle<N: Handler>(
        &self,
        mut request: Request,
        next: N,
    ) -> Result<Response, ApiError> {
        let info = RequestInfo::of(&request);
        if info.is_long_running() {
            let closing = request
                .extensions()
                .get::<Closing>()
                .map(|Closing(token)| token);
            let closing = closing.unwrap_or(&self.stopping).clone();
            return Ok(until(next.run(request).await, closing));
        }
        let limit = asked_for(&info)?.map_or(self.limit, |asked| asked.min(self.limit));
        let due = Instant::now() + limit;
        request.extensions_mut().insert(Due(due));
        timeout_at(due, next.run(request)).await.map_err(|_| {
            ApiError::Timeout("request did not complete within the allotted timeout".to_owned())
        })
    }
}

/// What `?timeout=` asks for: a Go duration or whole seconds, none if it is zero or absent.
fn asked_for(info: &RequestInfo) -> Result<Option<Duration>, ApiError> {
    let Some(text) = info.param("timeout").filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let asked = parse_duration(text).ok_or_else(|| {
        ApiError::BadRequest(format!(
            "invalid timeout specified in the request URL - {text:?}"
        ))
    })?;
    Ok(Some(asked).filter(|asked| !asked.is_zero()))
}

/// `1m30s`, `500ms`, `2h`; a bare `0` is a duration too.
fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let unit_end = rest[digits..]
            .find(|c: char| c.is_ascii_digit())
            .map_or(rest.len(), |end| digits + end);
        let unit = match &rest[digits..unit_end] {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        seconds += rest[..digits].parse::<f64>().ok()? * unit;
        rest = &rest[unit_end..];
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// The same response, its body ended in good order when the server stops.
fn until(response: Response, stopping: CancellationToken) -> Response {
    response.map(|body| {
        let frames = BodyStream::new(body).take_until(stopping.cancelled_owned());
        body::Body::new(http_body_util::StreamBody::new(frames))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, millis) in [
            ("0", 0),
            ("30s", 30_000),
            ("1m30s", 90_000),
            ("1.5s", 1_500),
            ("250ms", 250),
        ] {
            assert_eq!(
                parse_duration(text),
                Some(Duration::from_millis(millis)),
                "{text}"
            );
        }
        for text in ["30", "s", "1x", "-1s", "1s2"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
