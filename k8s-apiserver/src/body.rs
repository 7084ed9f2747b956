//! The bodies, requests and responses that flow through the server.
//!
//! Every layer and handler sees the same three types, whether the bytes came over TLS or from a
//! client in the same process. A body is boxed once at the edge; nothing here copies what a caller
//! already holds as [`Bytes`].

use std::{
    borrow::Cow,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures::{
    FutureExt, Stream, StreamExt,
    future::{self, BoxFuture},
};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::UnsyncBoxBody};

use crate::ApiError;

/// The largest request body that is read: 3 MiB, as in Kubernetes.
pub const MAX_REQUEST_BYTES: usize = 3 * 1024 * 1024;

/// Any failure while a body is produced or read.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request's or response's body: data frames of [`Bytes`].
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// What the layers and the handlers receive.
pub type Request = http::Request<Body>;

/// What the layers and the handlers return.
pub type Response = http::Response<Body>;

/// A body of nothing.
pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body of these bytes, without copying them.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A body whose chunks arrive over time: watches and logs.
pub fn stream<S>(chunks: S) -> Body
where
    S: Stream<Item = Result<Bytes, BoxError>> + Send + 'static,
{
    StreamBody::new(chunks.map(|chunk| chunk.map(Frame::data))).boxed_unsync()
}

/// The same body, with something done when it has ended or is given up: told is how many bytes have
/// passed.
pub(crate) fn at_end(body: Body, act: impl FnOnce(u64) + Send + 'static) -> Body {
    let act = Some(Box::new(act) as Box<dyn FnOnce(u64) + Send>);
    AtEnd { body, size: 0, act }.boxed_unsync()
}

struct AtEnd {
    body: Body,
    size: u64,
    act: Option<Box<dyn FnOnce(u64) + Send>>,
}

impl http_body::Body for AtEnd {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let data = frame
            .as_ref()
            .and_then(|frame| frame.as_ref().ok()?.data_ref());
        self.size += data.map_or(0, |data| data.len() as u64);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some(act) = self.act.take() {
            act(self.size);
        }
    }
}

/// Reads a request's body whole, or says why it can't be had: longer than [`MAX_REQUEST_BYTES`], or
/// broken off.
///
/// A body that arrives in one piece, as all in-process bodies do, is handed on without a copy. The
/// future is boxed, and so free of the body's type, which the compiler can't see to be `Send`
/// inside of larger futures.
pub fn read(body: Body) -> BoxFuture<'static, Result<Bytes, ApiError>> {
    if body.size_hint().lower() > (MAX_REQUEST_BYTES + HEARD_OUT) as u64 {
        return future::ready(Err(TOO_LARGE)).boxed();
    }
    collect(body).boxed()
}

async fn collect(mut body: Body) -> Result<Bytes, ApiError> {
    let mut chunks: Vec<Bytes> = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            ApiError::BadRequest(format!("unable to read the request body: {error}"))
        })?;
        let Ok(chunk) = frame.into_data() else {
            continue;
        };
        length += chunk.len();
        if length > MAX_REQUEST_BYTES + HEARD_OUT {
            break;
        }
        if length > MAX_REQUEST_BYTES {
            chunks.clear();
        } else {
            chunks.push(chunk);
        }
    }
    match chunks.as_mut_slice() {
        _ if length > MAX_REQUEST_BYTES => Err(TOO_LARGE),
        [only] => Ok(std::mem::take(only)),
        several => Ok(several.concat().into()),
    }
}

/// How much beyond the limit is read and thrown away, in bytes: a client that is still sending does
/// not listen, and over HTTP/2 would see a broken stream instead of the answer.
const HEARD_OUT: usize = 2 * MAX_REQUEST_BYTES;

const TOO_LARGE: ApiError = ApiError::TooLarge(Cow::Borrowed("limit is 3145728"));
