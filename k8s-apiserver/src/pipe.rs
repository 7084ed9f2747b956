//! HTTP/1.1 on a byte stream, upgrades included: what exec, attach and port-forward travel over.

use std::convert::Infallible;

use futures::{FutureExt, future::BoxFuture};
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};

use crate::{Body, BoxError, Request, Response, task::Tasks};

/// How many bytes wait in a pipe, each way.
const CAPACITY: usize = 64 * 1024;

/// Opens a pipe within the process whose other end answers requests.
pub(crate) fn open<A>(tasks: &Tasks, answer: A) -> DuplexStream
where
    A: Fn(Request) -> BoxFuture<'static, Response> + Send + 'static,
{
    let (near, far) = tokio::io::duplex(CAPACITY);
    let service = service_fn(move |request: http::Request<Incoming>| {
        answer(request.map(|body| Body::new(body.map_err(Into::into)))).map(Ok::<_, Infallible>)
    });
    // An error at this end reaches the other as the end of its stream.
    tasks.spawn(
        http1::Builder::new()
            .serve_connection(TokioIo::new(far), service)
            .with_upgrades()
            .map(drop),
    );
    near
}

/// Sends one request over a stream, and returns the head of the response; the stream is the
/// response's from then on.
///
/// Boxed, since the compiler can't see that futures which mention a [`Body`] are `Send` inside of
/// larger ones.
pub(crate) fn send<T, B>(
    tasks: &Tasks,
    stream: T,
    request: http::Request<B>,
) -> BoxFuture<'static, Result<Response, BoxError>>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let tasks = tasks.clone();
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
    handshake
        .then(move |shaken| match shaken {
            Ok((mut sender, connection)) => {
                tasks.spawn(connection.with_upgrades().map(drop));
                sender.send_request(request).left_future()
            }
            Err(error) => futures::future::err(error).right_future(),
        })
        .map(|response| Ok(response?.map(|body| Body::new(body.map_err(Into::into)))))
        .boxed()
}
