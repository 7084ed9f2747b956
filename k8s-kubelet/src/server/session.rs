//! One remote command: the caller's WebSocket on one side, the runtime's SPDY streams on the other.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, Method, header};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use super::{
    channel::{self, Protocol, Said},
    dial::{self, Answer},
    splice::Activity,
};
use crate::{
    cri::{StreamServer, Streams},
    spdy::{Encoder, Frame, Headers, Reader, StreamId},
};

/// How long a caller may take to answer the end.
const FAREWELL: Duration = Duration::from_secs(5);
/// The longest status that is passed on, in bytes.
const MAX_STATUS: usize = 64 * 1024;
/// Answers to the runtime's pings that wait; more of them it doesn't need.
const PINGS: usize = 4;

/// Carries everything between the two until the command has ended or either side is gone.
pub(super) async fn run<S>(
    mut socket: WebSocketStream<S>,
    server: StreamServer,
    protocol: Protocol,
    streams: Streams,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut headers = upgrade_to("SPDY/3.1");
    let version = HeaderValue::from_static("v4.channel.k8s.io");
    headers.insert("X-Stream-Protocol-Version", version);
    let result = match dial::upgrade(server, Method::POST, headers).await {
        Ok(Answer::Switched(_, runtime)) => carry(&mut socket, runtime, protocol, streams).await,
        Ok(Answer::Refused(refusal)) => Err(format!("it answered {}", refusal.status())),
        Err(error) => Err(error),
    };
    if let Err(message) = result {
        let status = serde_json::json!({
            "metadata": {}, "status": "Failure", "reason": "InternalError", "code": 500,
            "message": format!("error streaming to the container runtime: {message}"),
        });
        if let Some(message) = protocol.end(status.to_string().as_bytes()) {
            let _ = socket.send(message).await;
        }
    }
    close(socket).await;
}

/// Headers that ask for another protocol.
pub(super) fn upgrade_to(protocol: &'static str) -> HeaderMap {
    let connection = (header::CONNECTION, HeaderValue::from_static("Upgrade"));
    let upgrade = (header::UPGRADE, HeaderValue::from_static(protocol));
    HeaderMap::from_iter([connection, upgrade])
}

/// Says goodbye, and hears the other's, lest it be cut off by ours.
pub(super) async fn close<S: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocketStream<S>) {
    // Callers take any other code, or none, for a broken connection.
    let farewell = CloseFrame {
        code: CloseCode::Normal,
        reason: "".into(),
    };
    let farewell = async {
        let _ = socket.close(Some(farewell)).await;
        while let Some(Ok(_)) = socket.next().await {}
    };
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
}

/// The runtime's streams by the channels that they continue.
struct Opened(Vec<(u8, StreamId)>);

impl Opened {
    fn stream(&self, channel: u8) -> Option<StreamId> {
        let found = self.0.iter().find(|(known, _)| *known == channel);
        found.map(|(_, stream)| *stream)
    }

    fn channel(&self, stream: StreamId) -> Option<u8> {
        let found = self.0.iter().find(|(_, known)| *known == stream);
        found.map(|(channel, _)| *channel)
    }
}

async fn carry<S, R>(
    socket: &mut WebSocketStream<S>,
    runtime: R,
    protocol: Protocol,
    streams: Streams,
) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin,
    R: AsyncRead + AsyncWrite,
{
    let (from_runtime, mut to_runtime) = tokio::io::split(runtime);
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
        let (stream, frame) = encoder.open(&Headers::new(&[("streamtype", name)]));
        opened.0.push((channel, stream));
        let sent = to_runtime.write_all(&frame).await;
        sent.map_err(|error| error.to_string())?;
    }
    let (mut to_caller, mut from_caller) = socket.split();
    // An empty message tells callers that the streams are there.
    let first = [channel::STDOUT, channel::STDERR, channel::ERROR];
    let first = first
        .into_iter()
        .find(|channel| opened.stream(*channel).is_some());
    let hello = protocol.write(first.unwrap_or(channel::ERROR), b"");
    to_caller
        .send(hello)
        .await
        .map_err(|error| error.to_string())?;

    let activity = Activity::default();
    let (pings, mut pinged) = mpsc::channel(PINGS);
    // The two directions are apart: one that is held up doesn't hold up the other.
    let outward = async {
        let mut reader = Reader::new(from_runtime);
        let mut outputs = Outputs::new(&opened);
        while !outputs.open.is_empty() {
            let frame = match reader.next().await {
                Ok(Some(frame)) => frame,
                Err(error) if outputs.status.is_empty() => return Err(error.to_string()),
                // Servers may leave without ceremony once they have told how it ended.
                Ok(None) | Err(_) => break,
            };
            activity.touch();
            let (stream, data, is_last) = match frame {
                Frame::Data {
                    stream,
                    data,
                    is_last,
                } => (stream, data, is_last),
                Frame::Reset(stream) => (stream, Bytes::new(), true),
                Frame::GoAway => break,
                Frame::Ping(frame) => {
                    let _ = pings.try_send(frame);
                    continue;
                }
                Frame::Open { .. } | Frame::Other => continue,
            };
            let channel = opened.channel(stream);
            if let Some(channel) = channel.and_then(|known| outputs.take(known, &data, is_last)) {
                let sent = to_caller.send(protocol.write(channel, &data)).await;
                sent.map_err(|error| error.to_string())?;
            }
        }
        if let Some(message) = protocol.end(&outputs.status) {
            let sent = to_caller.send(message).await;
            sent.map_err(|error| error.to_string())?;
        }
        Ok(())
    };
    let inward = async {
        loop {
            let frame = tokio::select! {
                Some(ping) = pinged.recv() => ping,
                message = from_caller.next() => match message {
                    None | Some(Ok(Message::Close(_)) | Err(_)) => return,
                    Some(Ok(message)) => {
                        activity.touch();
                        match input(&opened, protocol.read(message)) {
                            Some(frame) => frame,
                            None => continue,
                        }
                    }
                },
            };
            if to_runtime.write_all(&frame).await.is_err() {
                // The command is over; how it ended is still on its way out.
                while let Some(Ok(_)) = from_caller.next().await {}
                return;
            }
        }
    };
    tokio::select! {
        result = outward => result,
        () = inward => Ok(()),
        () = activity.ceases() => Err("the connection was idle for too long".into()),
    }
}

/// What a caller says, for the runtime. Only input has a way in.
fn input(opened: &Opened, said: Option<Said>) -> Option<Bytes> {
    let is_input = |channel| matches!(channel, channel::STDIN | channel::RESIZE);
    match said? {
        Said::Data(channel, data) if is_input(channel) => {
            Some(Encoder::data(opened.stream(channel)?, &data, false))
        }
        Said::Close(channel) if is_input(channel) => {
            Some(Encoder::data(opened.stream(channel)?, b"", true))
        }
        Said::Data(..) | Said::Close(_) => None,
    }
}

/// What comes out of a command: it is over when its outputs and its status have ended.
struct Outputs {
    open: Vec<u8>,
    /// A status is one message, in however many pieces it comes.
    status: BytesMut,
}

impl Outputs {
    fn new(opened: &Opened) -> Self {
        let channels = opened.0.iter().map(|(channel, _)| *channel);
        let is_output = |channel: &u8| !matches!(*channel, channel::STDIN | channel::RESIZE);
        Outputs {
            open: channels.filter(is_output).collect(),
            status: BytesMut::new(),
        }
    }

    /// The channel on which the caller is told, if it is to be told now.
    fn take(&mut self, channel: u8, data: &[u8], is_last: bool) -> Option<u8> {
        if is_last {
            self.open.retain(|known| *known != channel);
        }
        if channel != channel::ERROR {
            return (!data.is_empty()).then_some(channel);
        }
        let room = MAX_STATUS - self.status.len();
        self.status.extend_from_slice(&data[..data.len().min(room)]);
        None
    }
}

#[cfg(test)]
mod tests;
