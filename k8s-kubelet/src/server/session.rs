//! One remote command: the caller's WebSocket on one side, the runtime's SPDY streams on the other.

use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use http::{Request, StatusCode, Uri, header};
use http_body_util::Empty;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use super::{
    channel::{self, Said},
    spdy::{self, Encoder, Frame, StreamId},
};
use crate::cri::Streams;

/// How long a caller may take to answer the end.
const FAREWELL: Duration = Duration::from_secs(5);

/// Carries everything between the two until the command has ended or either side is gone.
pub(super) async fn run<S>(mut socket: WebSocketStream<S>, url: &str, streams: Streams)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let result = match connect(url).await {
        Ok(runtime) => carry(&mut socket, runtime, streams).await,
        Err(error) => Err(error),
    };
    if let Err(message) = result {
        let status = serde_json::json!({
            "metadata": {}, "status": "Failure", "reason": "InternalError", "code": 500,
            "message": format!("error streaming to the container runtime: {message}"),
        });
        let message = channel::write(channel::ERROR, status.to_string().as_bytes());
        let _ = socket.send(Message::binary(message)).await;
    }
    // Callers take any other code, or none, for a broken connection.
    let farewell = CloseFrame {
        code: CloseCode::Normal,
        reason: "".into(),
    };
    let _ = socket.close(Some(farewell)).await;
    // The caller's own farewell, lest it be cut off by ours.
    let drained = async { while let Some(Ok(_)) = socket.next().await {} };
    let _ = tokio::time::timeout(FAREWELL, drained).await;
}

/// Asks the runtime's streaming server to change to SPDY.
async fn connect(url: &str) -> Result<TokioIo<Upgraded>, String> {
    let uri: Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
    let host = uri.host().unwrap_or("127.0.0.1").trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(80))).await;
    let stream = stream.map_err(|error| format!("{url}: {error}"))?;
    let _ = stream.set_nodelay(true);
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    let request = Request::post(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header(
            header::HOST,
            uri.authority().map_or("", |authority| authority.as_str()),
        )
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "SPDY/3.1")
        .header("X-Stream-Protocol-Version", "v4.channel.k8s.io")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let exchange = async move {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| error.to_string())?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(format!("the runtime answered {}", response.status()));
        }
        hyper::upgrade::on(response)
            .await
            .map_err(|error| error.to_string())
    };
    let (upgraded, _) = tokio::join!(exchange, connection.with_upgrades());
    upgraded.map(TokioIo::new)
}

/// The runtime's streams by the channels that they continue.
struct Opened(Vec<(u8, StreamId)>);

impl Opened {
    fn stream(&self, channel: u8) -> Option<StreamId> {
        self.0
            .iter()
            .find(|(known, _)| *known == channel)
            .map(|(_, stream)| *stream)
    }

    fn channel(&self, stream: StreamId) -> Option<u8> {
        self.0
            .iter()
            .find(|(_, known)| *known == stream)
            .map(|(channel, _)| *channel)
    }
}

async fn carry<S, R>(
    socket: &mut WebSocketStream<S>,
    runtime: R,
    streams: Streams,
) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin,
    R: AsyncRead + AsyncWrite,
{
    let (mut from_runtime, mut to_runtime) = tokio::io::split(runtime);
    let mut encoder = Encoder::default();
    let wanted = [
        (channel::ERROR, "error", true),
        (channel::STDIN, "stdin", streams.stdin),
        (channel::STDOUT, "stdout", streams.stdout),
        (channel::STDERR, "stderr", streams.stderr && !streams.tty),
        (channel::RESIZE, "resize", streams.tty),
    ];
    let mut opened = Opened(Vec::new());
    for (channel, name, _) in wanted.into_iter().filter(|(.., is_wanted)| *is_wanted) {
        let (stream, frame) = encoder.open("streamtype", name);
        opened.0.push((channel, stream));
        to_runtime
            .write_all(&frame)
            .await
            .map_err(|error| error.to_string())?;
    }
    // The command is over when its outputs and its status have ended.
    let mut open: Vec<u8> = opened.0.iter().map(|(channel, _)| *channel).collect();
    open.retain(|channel| !matches!(*channel, channel::STDIN | channel::RESIZE));

    let (mut to_caller, mut from_caller) = socket.split();
    // A frame is read in several parts, so its reader must not be dropped halfway.
    let (frames, mut incoming) = tokio::sync::mpsc::channel(16);
    let read = async move {
        loop {
            match spdy::read(&mut from_runtime).await {
                Ok(Some(frame)) => {
                    if frames.send(frame).await.is_err() {
                        return;
                    }
                }
                Ok(None) => return,
                Err(error) => return tracing::debug!(%error, "the runtime's stream broke"),
            }
        }
    };
    let work = async {
        loop {
            tokio::select! {
                frame = incoming.recv() => match frame {
                    None | Some(Frame::GoAway) => return Ok(()),
                    Some(Frame::Ping(frame)) => {
                        to_runtime.write_all(&frame).await.map_err(|error| error.to_string())?;
                    }
                    Some(Frame::Data { stream, data, is_last }) => {
                        let Some(channel) = opened.channel(stream) else { continue };
                        if !data.is_empty() {
                            let message = Message::binary(channel::write(channel, &data));
                            to_caller.send(message).await.map_err(|error| error.to_string())?;
                        }
                        if is_last {
                            open.retain(|known| *known != channel);
                        }
                    }
                    Some(Frame::Reset(stream)) => {
                        let channel = opened.channel(stream);
                        open.retain(|known| Some(*known) != channel);
                    }
                    Some(Frame::Other) => {}
                },
                message = from_caller.next() => match message {
                    Some(Ok(Message::Binary(message))) => {
                        let frame = match channel::read(&message) {
                            Some(Said::Data(channel, data)) => {
                                opened.stream(channel).map(|stream| Encoder::data(stream, data, false))
                            }
                            Some(Said::Close(channel)) => {
                                opened.stream(channel).map(|stream| Encoder::data(stream, &[], true))
                            }
                            None => None,
                        };
                        if let Some(frame) = frame {
                            to_runtime.write_all(&frame).await.map_err(|error| error.to_string())?;
                        }
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                    Some(Ok(_)) => {}
                },
            }
            if open.is_empty() {
                return Ok(());
            }
        }
    };
    tokio::pin!(read, work);
    tokio::select! {
        result = &mut work => result,
        // What has been read is still to be carried.
        () = &mut read => work.await,
    }
}
