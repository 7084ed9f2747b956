//! Finds out who asks, and puts an `Arc<User>` into the request's extensions.

use std::sync::Arc;

use http::header;

use super::{Handler, Step};
use crate::{ApiError, Request, Response, authn::Authentication};

impl Step for Authentication {
    async fn handle<N: Handler>(&self, request: Request, next: N) -> Result<Response, ApiError> {
        let (mut parts, body) = request.into_parts();
        let Some(user) = self.identify(&parts).await else {
            return Err(ApiError::Unauthorized);
        };
        // Nothing below needs the credential, so nothing below can leak it.
        parts.headers.remove(header::AUTHORIZATION);
        parts.extensions.insert(Arc::new(user));
        Ok(next.run(Request::from_parts(parts, body)).await)
    }
}
