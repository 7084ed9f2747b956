//! Lets through what the authorizer allows, and answers everything else with 403.

use std::sync::Arc;

use super::{Handler, Step, request_info::RequestInfo};
use crate::{
    ApiError, Request, Response, User,
    authz::{Attributes, Authorizer},
};

/// Asks the authorizer about each request.
#[derive(Clone)]
pub struct Authorize(pub Arc<dyn Authorizer>);

impl Step for Authorize {
    async fn handle<N: Handler>(&self, request: Request, next: N) -> Result<Response, ApiError> {
        let info = RequestInfo::of(&request);
        let user = request
            .extensions()
            .get::<Arc<User>>()
            .cloned()
            .unwrap_or_default();
        self.0.require(&Attributes::of(&user, &info)).await?;
        Ok(next.run(request).await)
    }
}
