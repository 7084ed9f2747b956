//! The server's half of a connection: each stream that a peer opens becomes a pipe.

use std::{collections::HashMap, io, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    io::{
        AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf,
        split,
    },
    sync::{Semaphore, mpsc},
};

use super::{Encoder, Frame, Headers, Reader, StreamId, frame::Reset};

/// Streams that one connection may have open at a time.
const MAX_STREAMS: usize = 512;
/// Bytes that wait in a stream, each way.
const CAPACITY: usize = 64 * 1024;
/// How much is read from a stream at once.
const CHUNK: usize = 32 * 1024;
/// Frames that wait to be written.
const FRAMES: usize = 16;

/// What serves a stream.
pub(crate) type Task = BoxFuture<'static, ()>;

/// Serves a connection until the peer ends or breaks it: every stream is handed to `open` with the
/// headers that it came with, and what `open` returns runs for as long as the connection does.
pub(crate) async fn serve<S, O>(connection: S, mut open: O) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite,
    O: FnMut(Headers, DuplexStream) -> Task,
{
    let (source, mut sink) = split(connection);
    let (frames, mut outgoing) = mpsc::channel::<Bytes>(FRAMES);
    let write = async {
        while let Some(frame) = outgoing.recv().await {
            sink.write_all(&frame).await?;
        }
        sink.shutdown().await
    };
    let (started, mut starting) = mpsc::channel(FRAMES);
    let serve = async {
        let mut peer = Peer {
            reader: Reader::new(source),
            encoder: Encoder::default(),
            streams: HashMap::new(),
            newest: 0,
            room: Arc::new(Semaphore::new(MAX_STREAMS)),
            frames,
            started,
        };
        while let Some(frame) = peer.reader.next().await? {
            if let Frame::GoAway = frame {
                break;
            }
            peer.take(frame, &mut open).await?;
        }
        Ok(())
    };
    let run = async {
        let mut running = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some(task) = starting.recv() => running.push(task),
                Some(()) = running.next() => {}
                else => std::future::pending().await,
            }
        }
    };
    tokio::select! {
        result = serve => result,
        result = write => result,
        () = run => Ok(()),
    }
}

struct Peer<R> {
    reader: Reader<R>,
    encoder: Encoder,
    /// Where the data of the streams goes that the peer hasn't ended.
    streams: HashMap<StreamId, WriteHalf<DuplexStream>>,
    newest: StreamId,
    /// For streams that the server hasn't ended.
    room: Arc<Semaphore>,
    frames: mpsc::Sender<Bytes>,
    started: mpsc::Sender<Task>,
}

impl<R: AsyncRead + Unpin> Peer<R> {
    async fn take<O>(&mut self, frame: Frame, open: &mut O) -> io::Result<()>
    where
        O: FnMut(Headers, DuplexStream) -> Task,
    {
        match frame {
            Frame::Open {
                stream,
                headers,
                is_last,
            } => {
                // A client's streams are odd, and each is newer than the one before.
                if stream % 2 == 0 || stream <= self.newest {
                    let message = "a SPDY stream whose number isn't new";
                    return Err(io::Error::new(io::ErrorKind::InvalidData, message));
                }
                self.newest = stream;
                let room = self.room.clone().try_acquire_owned().ok();
                let Some(room) = room.filter(|_| self.streams.len() < MAX_STREAMS) else {
                    return self.send(Encoder::reset(stream, Reset::Refused)).await;
                };
                let (near, far) = tokio::io::duplex(CAPACITY);
                let (from_stream, mut to_stream) = split(near);
                let reply = self.encoder.reply(stream);
                self.send(reply).await?;
                if is_last {
                    to_stream.shutdown().await?;
                } else {
                    self.streams.insert(stream, to_stream);
                }
                let (service, pump) = (
                    open(headers, far),
                    pump(stream, from_stream, self.frames.clone()),
                );
                let task = async move {
                    tokio::join!(service, pump);
                    drop(room);
                };
                let _ = self.started.send(Box::pin(task)).await;
            }
            Frame::Data {
                stream,
                data,
                is_last,
            } => {
                let Some(to_stream) = self.streams.get_mut(&stream) else {
                    let is_known = stream % 2 == 1 && stream <= self.newest;
                    // What comes late for a stream that is over is of no harm.
                    return match is_known {
                        true => Ok(()),
                        false => self.send(Encoder::reset(stream, Reset::Invalid)).await,
                    };
                };
                if to_stream.write_all(&data).await.is_err() {
                    self.streams.remove(&stream);
                    return self.send(Encoder::reset(stream, Reset::Cancelled)).await;
                }
                if is_last && let Some(mut ended) = self.streams.remove(&stream) {
                    let _ = ended.shutdown().await;
                }
            }
            Frame::Reset(stream) => drop(self.streams.remove(&stream)),
            Frame::Ping(frame) => self.send(frame).await?,
            Frame::GoAway | Frame::Other => {}
        }
        Ok(())
    }

    async fn send(&mut self, frame: Bytes) -> io::Result<()> {
        let sent = self.frames.send(frame).await;
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// Sends what is written to a stream, and its end.
async fn pump(stream: StreamId, mut source: ReadHalf<DuplexStream>, frames: mpsc::Sender<Bytes>) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = source.read(&mut chunk).await.unwrap_or(0);
        let frame = Encoder::data(stream, &chunk[..read], read == 0);
        if frames.send(frame).await.is_err() || read == 0 {
            return;
        }
    }
}
