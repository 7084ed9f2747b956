//! Frames: eight bytes of header, then either a stream's data or a message about the connection.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::header::{Deflater, Headers, Inflater};

const VERSION: u16 = 0x8003;
const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const PING: u16 = 6;
const GOAWAY: u16 = 7;
const FLAG_FIN: u8 = 1;
const HEADER: usize = 8;
/// The longest message about a connection that is read, in bytes.
const MAX_CONTROL: usize = 64 * 1024;
/// Data is handed on in pieces of at most so many bytes, however long a peer's frames are.
const PIECE: usize = 32 * 1024;
/// The top bit of a stream's number is another field's.
const STREAM: u32 = 0x7fff_ffff;

/// A stream's number.
pub type StreamId = u32;

/// Why a stream is broken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// There is no such stream.
    Invalid = 2,
    /// There are too many already.
    Refused = 3,
    /// Whoever wanted the stream no longer does.
    Cancelled = 5,
}

/// What a peer says.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A new stream, and whether its opener has nothing more to say on it.
    Open {
        /// Its number.
        stream: StreamId,
        /// What it is for.
        headers: Headers,
        /// Whether its opener says nothing on it.
        is_last: bool,
    },
    /// Bytes of a stream, and whether they are its last.
    Data {
        /// Which.
        stream: StreamId,
        /// The bytes, or some of them: long frames come in pieces.
        data: Bytes,
        /// Whether its sender says no more on it.
        is_last: bool,
    },
    /// A stream has been broken off.
    Reset(StreamId),
    /// To be sent back as it is.
    Ping(Bytes),
    /// The peer ends the connection.
    GoAway,
    /// Anything else.
    Other,
}

/// Makes frames. One per connection, since header blocks continue one zlib stream.
#[derive(Default)]
pub struct Encoder {
    streams: u32,
    deflater: Deflater,
}

impl Encoder {
    /// Opens a client's stream; returns its number and the frame.
    pub fn open(&mut self, headers: &Headers) -> (StreamId, Bytes) {
        let id = 2 * self.streams + 1;
        self.streams += 1;
        let block = self.deflater.pack(headers);
        let mut frame = control(SYN_STREAM, 0, block.len() + 10);
        frame.put_u32(id);
        frame.put_u32(0);
        frame.put_u16(0);
        frame.put(block);
        (id, frame.freeze())
    }

    /// Accepts a stream.
    pub fn reply(&mut self, stream: StreamId) -> Bytes {
        let block = self.deflater.pack(&Headers::default());
        let mut frame = control(SYN_REPLY, 0, block.len() + 4);
        frame.put_u32(stream);
        frame.put(block);
        frame.freeze()
    }

    /// Breaks a stream off.
    pub fn reset(stream: StreamId, reason: Reset) -> Bytes {
        let mut frame = control(RST_STREAM, 0, 8);
        frame.put_u32(stream);
        frame.put_u32(reason as u32);
        frame.freeze()
    }

    /// Bytes on a stream; `is_last` closes our half of it.
    pub fn data(stream: StreamId, data: &[u8], is_last: bool) -> Bytes {
        let mut frame = BytesMut::with_capacity(HEADER + data.len());
        frame.put_u32(stream);
        put_length(&mut frame, if is_last { FLAG_FIN } else { 0 }, data.len());
        frame.put_slice(data);
        frame.freeze()
    }
}

fn control(kind: u16, flags: u8, length: usize) -> BytesMut {
    let mut frame = BytesMut::with_capacity(HEADER + length);
    frame.put_u16(VERSION);
    frame.put_u16(kind);
    put_length(&mut frame, flags, length);
    frame
}

fn put_length(frame: &mut BytesMut, flags: u8, length: usize) {
    let length = u32::try_from(length).unwrap_or(u32::MAX) & 0x00ff_ffff;
    frame.put_u32(u32::from(flags) << 24 | length);
}

/// Reads a peer's frames.
pub struct Reader<R> {
    source: R,
    inflater: Inflater,
    /// The frame of data that is being read: its stream, what is left of it, and whether it is the last.
    rest: Option<(StreamId, usize, bool)>,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// Reads from a connection's beginning.
    pub fn new(source: R) -> Self {
        Reader {
            source,
            inflater: Inflater::default(),
            rest: None,
        }
    }

    /// The next frame, or the next piece of a long one; `None` at the end. Not to be dropped halfway:
    /// what it had read is lost.
    pub async fn next(&mut self) -> io::Result<Option<Frame>> {
        if self.rest.is_some() {
            return self.piece().await.map(Some);
        }
        let mut header = [0; HEADER];
        match self.source.read_exact(&mut header).await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        };
        let word = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
        let flags = header[4];
        let length = u32::from_be_bytes([0, header[5], header[6], header[7]]) as usize;
        let is_last = flags & FLAG_FIN != 0;
        if word & !STREAM == 0 {
            self.rest = Some((word, length, is_last));
            return self.piece().await.map(Some);
        }
        if word >> 16 != u32::from(VERSION) {
            return Err(broken("a frame of another version of SPDY"));
        }
        if length > MAX_CONTROL {
            return Err(broken("a SPDY control frame larger than 64 KiB"));
        }
        let mut body = vec![0; length];
        self.source.read_exact(&mut body).await?;
        let kind = u16::from_be_bytes([header[2], header[3]]);
        Ok(Some(match kind {
            SYN_STREAM if length >= 10 => {
                let stream = body.as_slice().get_u32() & STREAM;
                let headers = self.inflater.unpack(&body[10..])?;
                Frame::Open {
                    stream,
                    headers,
                    is_last,
                }
            }
            RST_STREAM if length >= 8 => Frame::Reset(body.as_slice().get_u32() & STREAM),
            SYN_STREAM | RST_STREAM => return Err(broken("a SPDY frame that is too short")),
            PING => Frame::Ping([&header[..], &body].concat().into()),
            GOAWAY => Frame::GoAway,
            // Of replies nothing is of interest, so their headers stay packed.
            _ => Frame::Other,
        }))
    }

    async fn piece(&mut self) -> io::Result<Frame> {
        let (stream, left, is_last) = self.rest.take().unwrap_or_default();
        let mut data = vec![0; left.min(PIECE)];
        self.source.read_exact(&mut data).await?;
        let left = left - data.len();
        self.rest = (left > 0).then_some((stream, left, is_last));
        Ok(Frame::Data {
            stream,
            data: data.into(),
            is_last: is_last && left == 0,
        })
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
