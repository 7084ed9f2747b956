//! SPDY inside a WebSocket: `SPDY/3.1+portforward.k8s.io`, how kubectl forwards ports since 1.31
//! (KEP-4006). The messages' contents, one after the other, are the connection.

use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use super::splice::Activity;

/// What the tunnels' subprotocols begin with; the rest is the protocol inside.
pub(super) const PREFIX: &str = "SPDY/3.1+";
/// How much of the connection one message carries, in bytes.
const CHUNK: usize = 32 * 1024;

/// Carries both ways until either side ends.
pub(super) async fn run<S>(socket: &mut WebSocketStream<S>, runtime: impl AsyncRead + AsyncWrite)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let activity = Activity::default();
    let (mut from_runtime, mut to_runtime) = tokio::io::split(runtime);
    let (mut to_caller, mut from_caller) = socket.split();
    let inward = async {
        while let Some(Ok(message)) = from_caller.next().await {
            activity.touch();
            match message {
                Message::Binary(data) if to_runtime.write_all(&data).await.is_err() => return,
                Message::Close(_) => return,
                _ => {}
            }
        }
    };
    let outward = async {
        let mut chunk = vec![0; CHUNK];
        while let Ok(read @ 1..) = from_runtime.read(&mut chunk).await {
            activity.touch();
            let message = Message::binary(chunk[..read].to_vec());
            if to_caller.send(message).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = inward => {}
        () = outward => {}
        () = activity.ceases() => {}
    }
}
