//! A watch over WebSocket, for clients that can't read a response as it comes: one message a frame, text for JSON.
//!
//! What the client sends is read and forgotten; when it goes, the watch ends.

use bytes::Bytes;
use futures::{SinkExt, Stream, StreamExt};
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message, Utf8Bytes,
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};

use super::Encoding;
use crate::{ApiError, BoxError, Response, body, task::Tasks};

/// The longest message that is read, in bytes: nothing in it is wanted.
const LONGEST: usize = 4096;

/// A request's wish to go on as a WebSocket.
pub(super) struct Upgrade {
    connection: OnUpgrade,
    accept: HeaderValue,
}

impl Upgrade {
    /// Takes the wish from a request that has it; `400` if it can't be granted.
    pub(super) fn take(parts: &mut Parts) -> Result<Option<Self>, ApiError> {
        if !is_asked_for(&parts.headers) {
            return Ok(None);
        }
        let refuse = |why: &str| ApiError::BadRequest(format!("unable to upgrade: {why}"));
        let key = parts.headers.get(header::SEC_WEBSOCKET_KEY);
        let key = key.ok_or_else(|| refuse("no WebSocket key"))?;
        let accept = derive_accept_key(key.as_bytes());
        let connection = parts.extensions.remove::<OnUpgrade>();
        Ok(Some(Upgrade {
            connection: connection.ok_or_else(|| refuse("the connection can't be upgraded"))?,
            accept: HeaderValue::from_str(&accept).map_err(ApiError::internal)?,
        }))
    }

    /// Answers that the connection changes its protocol; then the frames go out over it.
    pub(super) fn serve(
        self,
        tasks: &Tasks,
        frames: impl Stream<Item = Result<Bytes, BoxError>> + Send + 'static,
        encoding: Encoding,
    ) -> Response {
        let connection = self.connection;
        tasks.spawn(async move {
            let upgraded = match connection.await {
                Ok(upgraded) => TokioIo::new(upgraded),
                Err(error) => return tracing::debug!(%error, "upgrade failed"),
            };
            let config = WebSocketConfig::default()
                .max_message_size(Some(LONGEST))
                .max_frame_size(Some(LONGEST));
            let socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, Some(config));
            relay(socket.await, frames, encoding).await;
        });
        let mut response = Response::new(body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        response
    }
}

/// Sends frames until there are no more or the client goes.
async fn relay<T>(
    mut socket: WebSocketStream<T>,
    frames: impl Stream<Item = Result<Bytes, BoxError>>,
    encoding: Encoding,
) where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut frames = std::pin::pin!(frames);
    loop {
        tokio::select! {
            biased;
            heard = socket.next() => match heard {
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => {}
            },
            frame = frames.next() => {
                let Some(Ok(frame)) = frame else { break };
                if socket.send(message(frame, encoding)).await.is_err() {
                    return;
                }
            }
        }
    }
    // Whoever is gone already needs no goodbye.
    let _ = socket.close(None).await;
}

fn message(frame: Bytes, encoding: Encoding) -> Message {
    match (encoding, Utf8Bytes::try_from(frame.clone())) {
        (Encoding::Json { .. }, Ok(text)) => Message::Text(text),
        _ => Message::Binary(frame),
    }
}

fn is_asked_for(headers: &HeaderMap) -> bool {
    let has = |name, token: &str| {
        let values = headers.get_all(name).iter();
        let mut tokens = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        tokens.any(|each| each.trim().eq_ignore_ascii_case(token))
    };
    has(header::CONNECTION, "upgrade") && has(header::UPGRADE, "websocket")
}
