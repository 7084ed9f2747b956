//! From a request to its handler.
//!
//! [`Router`] is the innermost service of the server. By the time a request arrives here, the layers have said what it
//! asks for ([`RequestInfo`]), who asks ([`User`]), and that this is allowed; both are in its extensions.

mod discovery;
mod openapi;
mod table;

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use futures::{FutureExt, future::BoxFuture};
use http::Method;
use tower::Service;

use self::{discovery::Discovery, openapi::OpenApi};
use crate::{
    ApiError, Request, RequestInfo, Response, User, Verb,
    handler::{self, SharedFrames},
    registry::Registry,
    task::Tasks,
};

/// Serves the API: resources, discovery, OpenAPI. Clones share everything.
#[derive(Clone, Debug)]
pub struct Router {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    registry: Arc<Registry>,
    discovery: Discovery,
    openapi: OpenApi,
    /// What watchers of this server share.
    frames: Arc<SharedFrames>,
    tasks: Tasks,
}

impl Router {
    /// A router over what the registry holds, now and later.
    pub fn new(registry: Arc<Registry>) -> Self {
        Router::running(registry, Tasks::default())
    }

    /// The same, with what outlives its request among these tasks.
    pub fn running(registry: Arc<Registry>, tasks: Tasks) -> Self {
        Router {
            shared: Arc::new(Shared {
                registry,
                discovery: Discovery::default(),
                openapi: OpenApi::default(),
                frames: Arc::default(),
                tasks,
            }),
        }
    }
}

impl Service<Request> for Router {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let shared = self.shared.clone();
        let headers = request.headers().clone();
        async move {
            let info = match request.extensions().get::<Arc<RequestInfo>>() {
                Some(info) => info.clone(),
                None => match RequestInfo::parse(request.method(), request.uri()) {
                    Ok(info) => Arc::new(info),
                    Err(error) => return Ok(error.into_response()),
                },
            };
            let response = answer(shared, info.clone(), request)
                .await
                .unwrap_or_else(ApiError::into_response);
            Ok(handler::translate_status(response, &headers, &info))
        }
        .boxed()
    }
}

async fn answer(
    shared: Arc<Shared>,
    info: Arc<RequestInfo>,
    request: Request,
) -> Result<Response, ApiError> {
    let user = match request.extensions().get::<Arc<User>>() {
        Some(user) => user.clone(),
        None => Arc::new(User::anonymous()),
    };
    if info.resource_request {
        return table::dispatch(&shared, info, user, request).await;
    }
    let resources = shared.registry.resources();
    let path = info.path.trim_end_matches('/');
    let is_document = ["/api", "/apis", "/openapi"]
        .iter()
        .any(|root| path == *root || path.starts_with(&format!("{root}/")));
    if !is_document {
        return Err(ApiError::NoSuchResource);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(ApiError::MethodNotAllowed);
    }
    match path.strip_prefix("/openapi/") {
        Some(document) => shared
            .openapi
            .answer(resources, document, &info, request.headers()),
        None => shared
            .discovery
            .answer(resources, path, &info, request.headers()),
    }
}

/// Whether a verb of RBAC is one that reads a body.
fn has_body(verb: &Verb) -> bool {
    matches!(
        verb,
        Verb::Create | Verb::Update | Verb::Patch | Verb::Delete | Verb::DeleteCollection
    )
}

#[cfg(test)]
mod tests;
