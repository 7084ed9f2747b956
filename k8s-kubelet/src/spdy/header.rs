//! Header blocks: names and values in one zlib stream per connection and direction.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use flate2::{Decompress, FlushDecompress, Status};

use super::dictionary::dictionary;

/// The beginning of a zlib stream that is primed with SPDY's dictionary.
pub(super) const ZLIB: [u8; 6] = [0x78, 0x20, 0xe3, 0xc6, 0xa7, 0xc2];
/// An empty stored block: readers hand on what came before it.
const FLUSH: [u8; 5] = [0, 0, 0, 0xff, 0xff];
/// The most that a block may hold once it is unpacked, in bytes.
const MAX_BLOCK: usize = 64 * 1024;

/// Names, in lower case, and their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// These, in order; names are to be in lower case.
    pub fn new(pairs: &[(&str, &str)]) -> Self {
        let owned = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Headers(owned.collect())
    }

    /// The first value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    fn decode(mut block: &[u8]) -> Option<Self> {
        let count = block.try_get_u32().ok()?;
        let mut text = || {
            let length = usize::try_from(block.try_get_u32().ok()?).ok()?;
            let text = String::from_utf8_lossy(block.get(..length)?).into_owned();
            block.advance(length);
            Some(text)
        };
        // Grows with what is there, whatever the count says.
        let pairs = (0..count).map(|_| Some((text()?.to_lowercase(), text()?)));
        pairs.collect::<Option<_>>().map(Headers)
    }
}

/// Packs headers: into stored blocks, since ours are few and short.
#[derive(Default)]
pub(super) struct Deflater {
    is_begun: bool,
}

impl Deflater {
    pub(super) fn pack(&mut self, headers: &Headers) -> Bytes {
        let mut plain = BytesMut::new();
        plain.put_u32(u32::try_from(headers.0.len()).unwrap_or(u32::MAX));
        for text in headers.0.iter().flat_map(|(name, value)| [name, value]) {
            plain.put_u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
            plain.put_slice(text.as_bytes());
        }
        let mut block = BytesMut::new();
        if !self.is_begun {
            block.put_slice(&ZLIB);
        }
        self.is_begun = true;
        for part in plain.chunks(usize::from(u16::MAX)) {
            store(&mut block, part);
        }
        block.put_slice(&FLUSH);
        block.freeze()
    }
}

/// A stored block that isn't the last: at most 64 KiB less one.
fn store(block: &mut BytesMut, part: &[u8]) {
    let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
    block.put_u8(0);
    block.put_u16_le(length);
    block.put_u16_le(!length);
    block.put_slice(part);
}

/// Unpacks the blocks of a peer, in order.
pub(super) struct Inflater {
    state: Decompress,
    is_begun: bool,
}

impl Default for Inflater {
    fn default() -> Self {
        Inflater {
            state: Decompress::new(false),
            is_begun: false,
        }
    }
}

impl Inflater {
    /// The headers of the next block; an error leaves the connection unusable.
    pub(super) fn unpack(&mut self, mut block: &[u8]) -> io::Result<Headers> {
        let wrong = |what| io::Error::new(io::ErrorKind::InvalidData, what);
        if !self.is_begun {
            block = strip_zlib(block)
                .ok_or_else(|| wrong("a header block that doesn't name SPDY's dictionary"))?;
            // A dictionary is what the stream would have said before: so it is told as a stored block.
            let mut primer = BytesMut::new();
            store(&mut primer, &dictionary());
            self.inflate(&primer)?;
            self.is_begun = true;
        }
        let plain = self.inflate(block)?;
        Headers::decode(&plain).ok_or_else(|| wrong("a header block that breaks off"))
    }

    fn inflate(&mut self, mut packed: &[u8]) -> io::Result<Vec<u8>> {
        let mut plain = Vec::with_capacity(1024);
        loop {
            let (read, written) = (self.state.total_in(), plain.len());
            let done = self
                .state
                .decompress_vec(packed, &mut plain, FlushDecompress::Sync);
            let done = done.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let taken = usize::try_from(self.state.total_in() - read).unwrap_or(packed.len());
            packed = &packed[taken..];
            if plain.len() > MAX_BLOCK {
                let message = "a header block larger than 64 KiB";
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            let is_stuck = taken == 0 && plain.len() == written;
            match done {
                Status::StreamEnd => return Ok(plain),
                _ if plain.len() == plain.capacity() => plain.reserve(plain.len()),
                _ if packed.is_empty() || is_stuck => return Ok(plain),
                _ => {}
            }
        }
    }
}

/// What follows a zlib stream's header with a dictionary, of any level of compression.
fn strip_zlib(block: &[u8]) -> Option<&[u8]> {
    let (method, rest) = block.split_first()?;
    let (flags, rest) = rest.split_first()?;
    let is_sound = method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0;
    let has_dictionary = flags & 0x20 != 0;
    (is_sound && has_dictionary)
        .then(|| rest.strip_prefix(&ZLIB[2..]))
        .flatten()
}
