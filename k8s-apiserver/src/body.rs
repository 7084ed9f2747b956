//! The bodies, requests and responses that flow through the server.
//!
//! Every layer and handler sees the same three types, whether the bytes came over TLS or from a
//! client in the same process. A body is boxed once at the edge; nothing here copies what a caller
//! already holds as [`Bytes`].

use bytes::Bytes;
use futures::{
    FutureExt, Stream, StreamExt,
    future::{BoxFuture, ready},
};
use http_body::{Body as _, Frame};
use http_body_util::{
    BodyExt, Empty, Full, LengthLimitError, Limited, StreamBody, combinators::UnsyncBoxBody,
};

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

/// Reads a request's body whole, or says why it can't be had: longer than [`MAX_REQUEST_BYTES`], or
/// broken off.
///
/// A body that arrives in one piece, as all in-process bodies do, is handed on without a copy. The
/// future is boxed, and so free of the body's type, which the compiler can't see to be `Send`
/// inside of larger futures.
pub fn read(body: Body) -> BoxFuture<'static, Result<Bytes, ApiError>> {
    if body.size_hint().lower() > MAX_REQUEST_BYTES as u64 {
        return ready(Err(TOO_LARGE)).boxed();
    }
    let collected = Limited::new(body, MAX_REQUEST_BYTES).collect();
    collected
        .map(|collected| match collected {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(TOO_LARGE),
            Err(error) => Err(ApiError::BadRequest(format!(
                "unable to read the request body: {error}"
            ))),
        })
        .boxed()
}

const TOO_LARGE: ApiError = ApiError::TooLarge {
    limit: MAX_REQUEST_BYTES,
};
