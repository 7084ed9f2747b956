//! A `kube::Client` on a server in the same process: no sockets, no TLS, the same layers.
//!
//! The client's requests enter the stack as they are, bodies uncopied, marked with an identity that
//! only this crate can make. Requests that upgrade (exec, attach, port-forward) need a connection
//! to upgrade, so each of them gets a pipe with HTTP on both ends.

use std::{
    future::ready,
    task::{Context, Poll},
};

use futures::{FutureExt, future::BoxFuture};
use http::{HeaderValue, header};
use http_body_util::BodyExt;
use tower::Service;

use crate::{
    Body, BoxError, Request, Response, User, authn::in_process::InProcess, pipe, stack::Stack,
    task::Tasks,
};

/// A client that acts as this user, in the name of a program if it has one.
pub(crate) fn client(
    stack: Stack,
    user: User,
    program: Option<HeaderValue>,
    tasks: Tasks,
) -> kube::Client {
    kube::Client::new(
        Direct {
            entry: Entry {
                stack,
                identity: InProcess::new(user),
                program,
            },
            tasks,
        },
        "default",
    )
}

struct Direct {
    entry: Entry,
    tasks: Tasks,
}

#[derive(Clone)]
struct Entry {
    stack: Stack,
    identity: InProcess,
    /// The user agent of requests that name none.
    program: Option<HeaderValue>,
}

impl Service<http::Request<kube::client::Body>> for Direct {
    type Response = Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<kube::client::Body>) -> Self::Future {
        let entry = self.entry.clone();
        if request.headers().contains_key(header::UPGRADE) {
            let stream = pipe::open(&self.tasks, move |request| entry.answer(request));
            return pipe::send(&self.tasks, stream, request);
        }
        let answer = entry.answer(request.map(|body| Body::new(body.map_err(Into::into))));
        answer.then(|response| ready(Ok(response))).boxed()
    }
}

impl Entry {
    fn answer(&self, mut request: Request) -> BoxFuture<'static, Response> {
        if let Some(program) = &self.program {
            let agent = request.headers_mut().entry(header::USER_AGENT);
            agent.or_insert_with(|| program.clone());
        }
        request.extensions_mut().insert(self.identity.clone());
        self.stack.answer(request)
    }
}
