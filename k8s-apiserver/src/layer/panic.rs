//! A panic in a handler costs its own request and nothing else.

use std::{any::Any, panic::AssertUnwindSafe};

use futures::FutureExt;

use super::{Handler, Step};
use crate::{ApiError, Request, Response};

/// Turns a panic below into a logged 500.
#[derive(Debug, Clone, Copy)]
pub struct Catch;

impl Step for Catch {
    async fn handle<N: Handler>(&self, request: Request, next: N) -> Result<Response, ApiError> {
        let what = format!("{} {}", request.method(), request.uri().path());
        // Unwind safe: the request and all that was made for it are dropped, and what requests
        // share holds its invariants at every await (locks are never held across one, and poisoning
        // is an error of its own).
        AssertUnwindSafe(next.run(request))
            .catch_unwind()
            .await
            .map_err(|panic| ApiError::Internal(format!("{what} panicked: {}", message(&*panic))))
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}
