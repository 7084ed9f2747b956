//! Reaching into nodes and pods: logs, exec, attach, port-forward, and the proxies.
//!
//! The server finds the node, calls its agent with a certificate of its own, and relays; pods it calls
//! at their addresses. What is spoken after an upgrade (WebSocket channels, SPDY) is between the client
//! and the other end: here it is only bytes.

mod dial;
mod html;
mod locate;
mod location;
mod proxy;
mod rewrite;
mod target;

use std::sync::{Arc, atomic::AtomicUsize};

use futures::{FutureExt, future::BoxFuture};
use http::{HeaderName, StatusCode, Uri, header};
use http_body_util::{BodyExt, Limited};
use hyper::upgrade::OnUpgrade;
use k8s_openapi::api::core::v1::Pod;
use rustls::ClientConfig;

use crate::{
    ApiError, Body, BoxError, Request, RequestInfo, Response, body, error::GroupResource, pipe,
    task::Tasks,
};

pub use locate::{NodeEndpoint, NodeLocator, address_of};
pub(crate) use proxy::reference;
pub use target::Target;

/// How much of a node's complaint is passed on, in bytes.
const COMPLAINT: usize = 8 * 1024;

/// Relays requests to nodes and pods.
#[derive(Clone)]
pub struct Relay {
    locator: Arc<dyn NodeLocator>,
    tls: Arc<ClientConfig>,
    /// For pods, whose certificates nobody knows.
    trusting: Arc<ClientConfig>,
    /// Counts requests for services, whose endpoints take turns.
    turn: Arc<AtomicUsize>,
    tasks: Tasks,
}

impl Relay {
    /// Finds nodes by `locator`, calls them with `tls` (see [`crate::pki::Pki::client_tls`]),
    /// relays as `tasks`.
    pub fn new(locator: Arc<dyn NodeLocator>, tls: Arc<ClientConfig>, tasks: Tasks) -> Self {
        Relay {
            locator,
            tls,
            trusting: dial::trusting(),
            turn: Arc::default(),
            tasks,
        }
    }

    /// Answers `pods/log`, `pods/exec`, `pods/attach` and `pods/portforward` for a pod that was
    /// looked up.
    pub async fn pod(&self, pod: &Pod, request: Request) -> Result<Response, ApiError> {
        let info = RequestInfo::of(&request);
        let Some(target) = Target::of_pod(pod, &info)? else {
            // Nothing has run yet, so nothing has been logged.
            return Ok(Response::new(body::empty()));
        };
        let response = self.relay(&target, request).await?;
        if info.subresource == "log" && !response.status().is_success() {
            return Err(complaint(response).await);
        }
        Ok(response)
    }

    async fn relay(&self, target: &Target, mut request: Request) -> Result<Response, ApiError> {
        let nodes = GroupResource::new("", "nodes");
        let endpoint = self.locator.locate(&target.node).await;
        let endpoint = endpoint.ok_or_else(|| ApiError::not_found(nodes, &target.node))?;
        let uri: Uri = target.path_and_query.parse().map_err(ApiError::internal)?;
        let upgrade = request.headers().contains_key(header::UPGRADE);
        let client = upgrade.then(|| hyper::upgrade::on(&mut request));
        let onward = onward(request, uri, upgrade);
        let dialled = self.call(endpoint, onward, upgrade).await;
        let response = dialled.map_err(|error| {
            tracing::debug!(node = target.node, %error, "cannot reach node");
            ApiError::ServiceUnavailable(format!("error dialing backend: {error}"))
        })?;
        Ok(self.finish(response, client))
    }

    /// The answer for the client: without what is about the other connection, which is joined with the
    /// client's if both upgrade.
    fn finish(&self, mut response: Response, client: Option<OnUpgrade>) -> Response {
        if let (StatusCode::SWITCHING_PROTOCOLS, Some(client)) = (response.status(), client) {
            let server = hyper::upgrade::on(&mut response);
            self.tasks.spawn(dial::splice(client, server));
            return response.map(|_| body::empty());
        }
        for name in HOP_BY_HOP {
            response.headers_mut().remove(name);
        }
        response
    }

    fn call(
        &self,
        endpoint: NodeEndpoint,
        mut request: Request,
        upgrade: bool,
    ) -> BoxFuture<'static, Result<Response, BoxError>> {
        let tasks = self.tasks.clone();
        match endpoint {
            NodeEndpoint::InProcess(stack) if upgrade => {
                let stream = pipe::open(&tasks, move |request| stack.answer(request));
                pipe::send(&tasks, stream, request)
            }
            NodeEndpoint::InProcess(stack) => stack.answer(request).map(Ok).boxed(),
            NodeEndpoint::Address(address) => {
                let host = address.to_string().try_into();
                if let Ok(host) = host {
                    request.headers_mut().insert(header::HOST, host);
                }
                dial::tls(address, self.tls.clone())
                    .then(move |stream| match stream {
                        Ok(stream) => pipe::send(&tasks, stream, request),
                        Err(error) => futures::future::err(error.into()).boxed(),
                    })
                    .boxed()
            }
        }
    }
}

/// What is about one connection and not the request; kept only to ask for an upgrade.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::UPGRADE,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::HOST,
];

/// The same request for the node: without what is about the client's connection, or for it alone.
fn onward(request: Request, uri: Uri, upgrade: bool) -> Request {
    let (parts, body) = request.into_parts();
    let mut onward = Request::new(body);
    *onward.method_mut() = parts.method;
    *onward.uri_mut() = uri;
    *onward.headers_mut() = parts.headers;
    for name in HOP_BY_HOP {
        if !(upgrade && (name == header::CONNECTION || name == header::UPGRADE)) {
            onward.headers_mut().remove(name);
        }
    }
    onward
}

/// A node's refusal as the server's own: what the client did wrong is said as the node says it.
async fn complaint(response: Response) -> ApiError {
    let status = response.status();
    let text = text_of(response.into_body()).await;
    match status {
        StatusCode::BAD_REQUEST => ApiError::BadRequest(text),
        StatusCode::NOT_FOUND => ApiError::NoSuchResource,
        _ => ApiError::Internal(format!("the node answered {status}: {text}")),
    }
}

fn text_of(body: Body) -> BoxFuture<'static, String> {
    let collected = Limited::new(body, COMPLAINT).collect();
    let text = |collected: Result<http_body_util::Collected<_>, _>| {
        let bytes: Option<bytes::Bytes> = collected.ok().map(http_body_util::Collected::to_bytes);
        bytes
            .map(|bytes| String::from_utf8_lossy(&bytes).trim_end().to_owned())
            .unwrap_or_default()
    };
    collected.map(text).boxed()
}

#[cfg(test)]
mod tests;
