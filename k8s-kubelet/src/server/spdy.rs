//! The client's half of SPDY/3.1, as far as runtimes' streaming servers need it.
//!
//! Of the two protocols that those servers speak, only this one can close standard input while the
//! output goes on. Header blocks must be zlib streams; ours consist of stored blocks, and those of the
//! answers are never read, since the streams' numbers say everything.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

const VERSION: u16 = 0x8003;
const SYN_STREAM: u16 = 1;
const RST_STREAM: u16 = 3;
const PING: u16 = 6;
const GOAWAY: u16 = 7;
const FLAG_FIN: u8 = 1;
const HEADER: usize = 8;
/// Larger frames are a broken server's.
const MAX_FRAME: usize = 16 * 1024 * 1024;
/// The beginning of a zlib stream without compression that is primed with SPDY's dictionary.
const ZLIB: [u8; 6] = [0x78, 0x20, 0xe3, 0xc6, 0xa7, 0xc2];

/// An empty stored block: readers hand on what came before it.
const FLUSH: [u8; 5] = [0, 0, 0, 0xff, 0xff];

/// A stream's number.
pub(super) type StreamId = u32;

/// What the server says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// Bytes of a stream, and whether they are its last.
    Data {
        stream: StreamId,
        data: Bytes,
        is_last: bool,
    },
    /// A stream has been broken off.
    Reset(StreamId),
    /// To be sent back as it is.
    Ping(Bytes),
    /// The server ends the connection.
    GoAway,
    /// Anything else.
    Other,
}

/// Makes frames. One per connection, since header blocks continue one zlib stream.
#[derive(Default)]
pub(super) struct Encoder {
    streams: u32,
}

impl Encoder {
    /// Opens a stream with one header; returns its number and the frame.
    pub(super) fn open(&mut self, name: &str, value: &str) -> (StreamId, Bytes) {
        let is_first = self.streams == 0;
        let id = 2 * self.streams + 1;
        self.streams += 1;
        let mut pairs = BytesMut::new();
        pairs.put_u32(1);
        for text in [name, value] {
            pairs.put_u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
            pairs.put_slice(text.as_bytes());
        }
        let mut block = BytesMut::new();
        if is_first {
            block.put_slice(&ZLIB);
        }
        // A stored block that isn't the last.
        let length = u16::try_from(pairs.len()).unwrap_or(u16::MAX);
        block.put_u8(0);
        block.put_u16_le(length);
        block.put_u16_le(!length);
        block.put(pairs);
        block.put_slice(&FLUSH);

        let mut frame = BytesMut::new();
        frame.put_u16(VERSION);
        frame.put_u16(SYN_STREAM);
        put_length(&mut frame, 0, block.len() + 10);
        frame.put_u32(id);
        frame.put_u32(0);
        frame.put_u16(0);
        frame.put(block);
        (id, frame.freeze())
    }

    /// Bytes on a stream; `is_last` closes our half of it.
    pub(super) fn data(stream: StreamId, data: &[u8], is_last: bool) -> Bytes {
        let mut frame = BytesMut::with_capacity(HEADER + data.len());
        frame.put_u32(stream);
        put_length(&mut frame, if is_last { FLAG_FIN } else { 0 }, data.len());
        frame.put_slice(data);
        frame.freeze()
    }
}

fn put_length(frame: &mut BytesMut, flags: u8, length: usize) {
    let length = u32::try_from(length).unwrap_or(u32::MAX) & 0x00ff_ffff;
    frame.put_u32(u32::from(flags) << 24 | length);
}

/// Reads the next frame; `None` at the end.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Option<Frame>> {
    let mut header = [0; HEADER];
    match stream.read_exact(&mut header).await {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    };
    let word = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
    let flags = header[4];
    let length = u32::from_be_bytes([0, header[5], header[6], header[7]]) as usize;
    if length > MAX_FRAME {
        return Err(std::io::Error::other("SPDY frame too large"));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    if word & 0x8000_0000 == 0 {
        return Ok(Some(Frame::Data {
            stream: word,
            data: body.into(),
            is_last: flags & FLAG_FIN != 0,
        }));
    }
    let kind = u16::from_be_bytes([header[2], header[3]]);
    Ok(Some(match kind {
        RST_STREAM if length >= 4 => Frame::Reset(body.as_slice().get_u32()),
        PING => Frame::Ping([&header[..], &body].concat().into()),
        GOAWAY => Frame::GoAway,
        _ => Frame::Other,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_get_odd_numbers_and_only_the_first_block_opens_the_zlib_stream() {
        let mut encoder = Encoder::default();
        let (first, frame) = encoder.open("streamtype", "error");
        let (second, other) = encoder.open("streamtype", "stdin");
        assert_eq!((first, second), (1, 3));
        assert_eq!(frame[18..24], ZLIB);
        assert_eq!(other[18], 0);
        // zlib's own check: the first two bytes are a multiple of 31.
        assert_eq!(u16::from_be_bytes([ZLIB[0], ZLIB[1]]) % 31, 0);
        assert_eq!(usize::from(frame[7]), frame.len() - HEADER);
    }

    #[tokio::test]
    async fn data_goes_and_comes_in_the_same_form() {
        let sent = Encoder::data(5, b"hello", true);
        let read = read(&mut &sent[..]).await.unwrap();
        let data = Bytes::from_static(b"hello");
        assert_eq!(
            read,
            Some(Frame::Data {
                stream: 5,
                data,
                is_last: true
            })
        );
        assert_eq!(super::read(&mut &b""[..]).await.unwrap(), None);
    }
}
