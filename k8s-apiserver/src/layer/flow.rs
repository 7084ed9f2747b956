//! Lets a request on when it is its turn, or sends it away with 429 and `Retry-After`.
//!
//! A request has its seats until its response begins: of a watch that is its initial phase. Other
//! long-running requests are exempt, since they would keep their seats forever. Which flow schema
//! and priority level it met is in the response's headers, by uid, so that nothing is told to those who
//! may not read these objects.

use std::time::Duration;

use http::HeaderName;
use tokio::time::Instant;

use super::{Handler, Step, deadline::Due, request_info::RequestInfo};
use crate::{
    ApiError, Request, Response, User, Verb,
    flow::{FlowControl, too_many},
};

const SCHEMA: HeaderName = HeaderName::from_static("x-kubernetes-pf-flowschema-uid");
const LEVEL: HeaderName = HeaderName::from_static("x-kubernetes-pf-prioritylevel-uid");

/// A request waits for at most this part of the time that it has.
const PART: u32 = 4;

/// Puts requests through [`FlowControl`].
#[derive(Debug)]
pub struct Flow {
    /// Where they are put through.
    pub control: FlowControl,
    /// How long a request has that has no deadline of its own.
    pub limit: Duration,
}

impl Step for Flow {
    async fn handle<N: Handler>(&self, request: Request, next: N) -> Result<Response, ApiError> {
        let info = RequestInfo::of(&request);
        if info.is_long_running() && info.verb != Verb::Watch {
            return Ok(next.run(request).await);
        }
        let user = User::of(&request);
        let due = request.extensions().get::<Due>();
        let left = due.map_or(self.limit, |Due(at)| at.duration_since(Instant::now()));
        let entry = self.control.enter(&user, &info, left / PART).await;
        let mut response = match entry.outcome {
            Ok(seat) => {
                let response = next.run(request).await;
                drop(seat);
                response
            }
            Err(retry_after) => {
                too_many("Too many requests, please try again later.\n", retry_after)
            }
        };
        let headers = response.headers_mut();
        for (name, uid) in [(SCHEMA, entry.schema), (LEVEL, entry.level)] {
            if !uid.is_empty() {
                headers.insert(name, uid);
            }
        }
        Ok(response)
    }
}
