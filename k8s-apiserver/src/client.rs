//! A `kube::Client` on a server in the same process: no sockets, no TLS, the same layers.
//!
//! The client's requests enter the stack as they are, bodies uncopied, marked with an identity that only this crate
//! can make. Requests that upgrade (exec, attach, port-forward) need a connection to upgrade, so each of them gets a
//! pipe with HTTP on both ends.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use futures::{FutureExt, future::join};
use http::header;
use http_body_util::BodyExt;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tower::Service;

use crate::{
    Body, BoxError, Request, Response, User, authn::in_process::InProcess, stack::Stack,
    task::Tasks,
};

/// How many bytes of an upgraded stream wait in its pipe, each way.
const PIPE: usize = 64 * 1024;

/// A client that acts as this user.
pub(crate) fn client(stack: Stack, user: User, tasks: Tasks) -> kube::Client {
    kube::Client::new(
        Direct {
            stack,
            identity: InProcess::new(user),
            tasks,
        },
        "default",
    )
}

struct Direct {
    stack: Stack,
    identity: InProcess,
    tasks: Tasks,
}

impl Service<http::Request<kube::client::Body>> for Direct {
    type Response = Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<kube::client::Body>) -> Self::Future {
        let entry = Entry {
            stack: self.stack.clone(),
            identity: self.identity.clone(),
        };
        if request.headers().contains_key(header::UPGRADE) {
            return Box::pin(through_pipe(entry, request, self.tasks.clone()));
        }
        let request = request.map(|body| Body::new(body.map_err(Into::into)));
        Box::pin(async move { Ok(entry.enter(request).await) })
    }
}

#[derive(Clone)]
struct Entry {
    stack: Stack,
    identity: InProcess,
}

impl Entry {
    async fn enter(self, mut request: Request) -> Response {
        request.extensions_mut().insert(self.identity);
        self.stack.answer(request).await
    }
}

async fn through_pipe(
    entry: Entry,
    request: http::Request<kube::client::Body>,
    tasks: Tasks,
) -> Result<Response, BoxError> {
    let (near, far) = tokio::io::duplex(PIPE);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(near)).await?;
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let request = request.map(|body| Body::new(body.map_err(Into::into)));
        entry.clone().enter(request).map(Ok::<_, Infallible>)
    });
    let server = http1::Builder::new()
        .serve_connection(TokioIo::new(far), service)
        .with_upgrades();
    // Either end's error reaches the client as the end of its stream.
    tasks.spawn(join(server, connection.with_upgrades()).map(drop));
    let response = sender.send_request(request).await?;
    Ok(response.map(|body| Body::new(body.map_err(Into::into))))
}
