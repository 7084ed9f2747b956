//! Reaching into nodes: logs, exec, attach, port-forward, and the node's own endpoints.
//!
//! The server finds the node, calls its agent with a certificate of its own, and relays. What is
//! spoken after an upgrade (WebSocket channels, SPDY) is between the client and the agent: here it
//! is only bytes.

mod locate;
mod target;

use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use futures::{
    FutureExt,
    future::{BoxFuture, Either, select},
};
use http::{HeaderName, StatusCode, Uri, header};
use http_body_util::{BodyExt, Limited};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{
    ApiError, Body, BoxError, Request, RequestInfo, Response, body, error::GroupResource, pipe,
    task::Tasks,
};

pub use locate::{NodeEndpoint, NodeLocator, address_of};
pub use target::Target;

/// How long a node may take to answer a call for a connection.
const DIAL: Duration = Duration::from_secs(30);
/// How long one side of a stream may go on after the other has ended.
const FAREWELL: Duration = Duration::from_secs(10);
/// How much of a node's complaint is passed on, in bytes.
const COMPLAINT: usize = 8 * 1024;

/// Relays requests to nodes.
#[derive(Clone)]
pub struct Relay {
    locator: Arc<dyn NodeLocator>,
    tls: Arc<ClientConfig>,
    tasks: Tasks,
}

impl Relay {
    /// Finds nodes by `locator`, calls them with `tls` (see [`crate::pki::Pki::client_tls`]),
    /// relays as `tasks`.
    pub fn new(locator: Arc<dyn NodeLocator>, tls: Arc<ClientConfig>, tasks: Tasks) -> Self {
        Relay {
            locator,
            tls,
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

    /// Answers `nodes/proxy`: whatever the node's agent has at the path after `/proxy`.
    pub async fn node_proxy(&self, request: Request) -> Result<Response, ApiError> {
        let info = RequestInfo::of(&request);
        let target = Target::of_node(&info, request.uri());
        self.relay(&target, request).await
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
        let mut response = dialled.map_err(|error| {
            tracing::debug!(node = target.node, %error, "cannot reach node");
            ApiError::ServiceUnavailable(format!("error dialing backend: {error}"))
        })?;
        if let (StatusCode::SWITCHING_PROTOCOLS, Some(client)) = (response.status(), client) {
            let node = hyper::upgrade::on(&mut response);
            self.tasks.spawn(splice(client, node));
            return Ok(response.map(|_| body::empty()));
        }
        response.headers_mut().remove(header::CONNECTION);
        response.headers_mut().remove(header::TRANSFER_ENCODING);
        Ok(response)
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
                let dialled = dial(address, TlsConnector::from(Arc::clone(&self.tls)));
                dialled
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
const HOP_BY_HOP: [HeaderName; 6] = [
    header::CONNECTION,
    header::UPGRADE,
    header::TRANSFER_ENCODING,
    header::TE,
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

async fn dial(
    address: SocketAddr,
    tls: TlsConnector,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, io::Error> {
    let connected = timeout(DIAL, async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        tls.connect(ServerName::from(address.ip()), stream).await
    });
    let failed =
        |error: io::Error| io::Error::new(error.kind(), format!("dial tcp {address}: {error}"));
    connected
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map_err(failed)
}

/// Copies bytes both ways until one side ends; what the other still has to say it says soon.
async fn splice(client: OnUpgrade, node: OnUpgrade) {
    let (client, node) = match tokio::try_join!(client, node) {
        Ok(upgraded) => upgraded,
        Err(error) => return tracing::debug!(%error, "upgrade failed"),
    };
    let (from_client, to_client) = tokio::io::split(TokioIo::new(client));
    let (from_node, to_node) = tokio::io::split(TokioIo::new(node));
    let inward = pin!(pour(from_client, to_node));
    let outward = pin!(pour(from_node, to_client));
    match select(inward, outward).await {
        Either::Left(((), outward)) => drop(timeout(FAREWELL, outward).await),
        Either::Right(((), inward)) => drop(timeout(FAREWELL, inward).await),
    }
}

/// Copies until the source ends or either breaks, and says so to the sink.
async fn pour<R, W>(mut source: R, mut sink: W)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let copied = tokio::io::copy(&mut source, &mut sink).await;
    if let Err(error) = copied.and(sink.shutdown().await) {
        tracing::debug!(%error, "relay ended");
    }
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
