//! What goes round an object's message: `runtime.Unknown` with a magic number, and the frames of a watch.

use super::{
    MAGIC, ProtobufError, tree,
    wire::{Backwards, Fields, Wire, put_varint, varint_len},
};

/// `runtime.Unknown`: an object's bytes, and what they are.
#[derive(Default)]
pub(super) struct Envelope<'a> {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) raw: &'a [u8],
}

/// The empty `contentEncoding` and `contentType`, which Kubernetes always writes.
const TAIL: &[u8] = &[0x1a, 0, 0x22, 0];

impl<'a> Envelope<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, ProtobufError> {
        let mut envelope = Self::default();
        for field in Fields::new(bytes) {
            match field? {
                (1, Wire::Bytes(type_meta)) => envelope.read_type(type_meta)?,
                (2, Wire::Bytes(raw)) => envelope.raw = raw,
                (3, Wire::Bytes(encoding)) if !encoding.is_empty() => {
                    let encoding = String::from_utf8_lossy(encoding).into_owned();
                    return Err(ProtobufError::Encoding(encoding));
                }
                _ => {}
            }
        }
        Ok(envelope)
    }

    fn read_type(&mut self, type_meta: &[u8]) -> Result<(), ProtobufError> {
        for field in Fields::new(type_meta) {
            match field? {
                (1, Wire::Bytes(text)) => self.api_version = tree::text("apiVersion", text)?,
                (2, Wire::Bytes(text)) => self.kind = tree::text("kind", text)?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Writes an envelope round the message that `raw` writes.
pub(super) fn write<E>(
    api_version: &str,
    kind: &str,
    out: &mut Backwards,
    raw: impl FnOnce(&mut Backwards) -> Result<(), E>,
) -> Result<(), E> {
    out.raw(TAIL);
    out.nested(2, raw)?;
    put_type(api_version, kind, out);
    out.raw(MAGIC);
    Ok(())
}

/// Appends what precedes a message of `length` bytes, to be followed by [`end`].
pub(super) fn begin(api_version: &str, kind: &str, length: usize, out: &mut Vec<u8>) {
    let mut head = Backwards::default();
    head.header(2, length);
    put_type(api_version, kind, &mut head);
    head.raw(MAGIC);
    out.extend(head.finish());
}

/// Appends what follows the message.
pub(super) fn end(out: &mut Vec<u8>) {
    out.extend_from_slice(TAIL);
}

fn put_type(api_version: &str, kind: &str, out: &mut Backwards) {
    let end = out.len();
    out.bytes(2, kind.as_bytes());
    out.bytes(1, api_version.as_bytes());
    out.header(1, out.len() - end);
}

/// One frame of a watch (`;stream=watch`): its length in four bytes, the highest first, then a `WatchEvent` without an
/// envelope round the object with one. `event` is its type: `ADDED`.
pub fn watch_event(event: &str, object: &[u8]) -> Vec<u8> {
    let nested = |length: usize| 1 + varint_len(length as u64) + length;
    let raw = nested(object.len());
    let length = nested(event.len()) + nested(raw);
    let mut out = Vec::with_capacity(4 + length);
    out.extend_from_slice(&(length as u32).to_be_bytes());
    put_header(1, event.len(), &mut out);
    out.extend_from_slice(event.as_bytes());
    put_header(2, raw, &mut out);
    put_header(1, object.len(), &mut out);
    out.extend_from_slice(object);
    out
}

/// Appends the number and the length of what comes next.
pub(super) fn put_header(number: u8, length: usize, out: &mut Vec<u8>) {
    out.push(number << 3 | 2);
    put_varint(length as u64, out);
}
