//! What the files consist of: framed, checksummed records.
//!
//! ```text
//! | length u32 | crc32 u32 | durable u64 | payload: tag u8, fields |      all little endian
//!                          |<--- covered by the checksum, counted by length --->|
//! ```
//!
//! `durable` is how far this file was known to be on disk when the record was written. It tells a
//! write that was cut short by a crash from damage: a bad record that a later one vouches for was
//! once whole.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};

use crate::{
    KeyValue, Op, Revision,
    version::{
        deadline::{Deadlines, Lifetimes, Moment},
        timeline::Change,
    },
};

/// Length and checksum.
pub(super) const HEADER: usize = 8;

/// What `length` may say: room for any transaction, and far from what random bytes say.
pub(super) const MAX_LENGTH: usize = 64 << 20;

/// How much longer than key and value the record of one live key is.
pub(super) const OVERHEAD: u64 = 41;

/// Says what the file is, and in which version of the format.
const MAGIC: &[u8; 12] = b"k8s-store/1\n";

/// One record, without its frame.
#[derive(Debug, PartialEq)]
pub(super) enum Record {
    /// The first of every file: the revision whose state the file continues, or holds.
    Start(Revision),
    /// A transaction.
    Commit(Revision, Vec<Op>, Lifetimes),
    /// One live key, in a snapshot, and when it goes.
    Entry(KeyValue, Option<Moment>),
    /// History up to and including this revision was given up.
    Compacted(Revision),
    /// The store was closed, or the snapshot is complete: all before it is durable.
    Sealed,
}

const START: u8 = 1;
const COMMIT: u8 = 2;
const ENTRY: u8 = 3;
const COMPACTED: u8 = 4;
const SEALED: u8 = 5;
/// An entry behind its deadline.
const ENTRY_UNTIL: u8 = 6;

const PUT: u8 = 1;
const DELETE: u8 = 2;
/// A put behind its deadline.
const PUT_UNTIL: u8 = 3;

/// Writes records one after another into a buffer.
pub(super) struct Encoder<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) durable: u64,
}

impl Encoder<'_> {
    pub(super) fn start(&mut self, base: Revision) {
        self.frame(START, |out| {
            out.put_slice(MAGIC);
            out.put_u64_le(base.0);
        });
    }

    /// The changes of one transaction, and the deadlines that it sets.
    pub(super) fn commit(
        &mut self,
        revision: Revision,
        changes: &[Arc<Change<KeyValue>>],
        lifetimes: &Lifetimes,
    ) {
        let deadline = |key: &Bytes| {
            let lifetime = lifetimes.iter().find(|(of, _)| of == key);
            lifetime.and_then(|(_, deadline)| *deadline)
        };
        self.frame(COMMIT, |out| {
            out.put_u64_le(revision.0);
            for change in changes {
                match (&change.current, &change.previous) {
                    (Some(kv), _) => {
                        match deadline(&kv.key) {
                            None => out.put_u8(PUT),
                            Some(at) => {
                                out.put_u8(PUT_UNTIL);
                                out.put_u64_le(at);
                            }
                        }
                        put_bytes(out, &kv.key);
                        put_bytes(out, &kv.value);
                    }
                    (None, Some(gone)) => {
                        out.put_u8(DELETE);
                        put_bytes(out, &gone.key);
                    }
                    (None, None) => unreachable!("a change has a side"),
                }
            }
        });
    }

    pub(super) fn entry(&mut self, kv: &KeyValue, deadlines: &Deadlines) {
        let deadline = deadlines.get(&kv.key);
        let tag = deadline.map_or(ENTRY, |_| ENTRY_UNTIL);
        self.frame(tag, |out| {
            if let Some(at) = deadline {
                out.put_u64_le(at);
            }
            out.put_u64_le(kv.created.0);
            out.put_u64_le(kv.modified.0);
            put_bytes(out, &kv.key);
            put_bytes(out, &kv.value);
        });
    }

    pub(super) fn compacted(&mut self, at: Revision) {
        self.frame(COMPACTED, |out| out.put_u64_le(at.0));
    }

    pub(super) fn sealed(&mut self) {
        self.frame(SEALED, |_| ());
    }

    fn frame(&mut self, tag: u8, fields: impl FnOnce(&mut Vec<u8>)) {
        let start = self.out.len();
        self.out.put_bytes(0, HEADER);
        self.out.put_u64_le(self.durable);
        self.out.put_u8(tag);
        fields(self.out);
        let (header, body) = self.out[start..].split_at_mut(HEADER);
        let length = u32::try_from(body.len()).expect("the writer bounds transactions");
        header[..4].copy_from_slice(&length.to_le_bytes());
        header[4..].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
    }
}

/// The length and the checksum that a header announces, if the length is a possible one.
pub(super) fn header(bytes: &[u8; HEADER]) -> Option<(usize, u32)> {
    let [a, b, c, d, crc @ ..] = *bytes;
    let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?;
    (9..=MAX_LENGTH)
        .contains(&length)
        .then(|| (length, u32::from_le_bytes(crc)))
}

/// Whether a body is the one that its header announced.
pub(super) fn is_whole(body: &[u8], crc: u32) -> bool {
    crc32fast::hash(body) == crc
}

/// Reads a whole body. `None` if this version of the format has no such record. Keys and values
/// share the memory of `body`.
pub(super) fn decode(mut body: Bytes) -> Option<Record> {
    body.try_get_u64_le().ok()?; // only `vouched` asks for it
    let record = match body.try_get_u8().ok()? {
        START => {
            (body.len() > MAGIC.len() && body.split_to(MAGIC.len()) == MAGIC[..]).then_some(())?;
            Record::Start(revision(&mut body)?)
        }
        COMMIT => {
            let at = revision(&mut body)?;
            let (mut ops, mut lifetimes) = (Vec::new(), Lifetimes::new());
            while body.has_remaining() {
                let (op, deadline) = op(&mut body)?;
                lifetimes.push((op.key().clone(), deadline));
                ops.push(op);
            }
            Record::Commit(at, ops, lifetimes)
        }
        ENTRY => Record::Entry(entry(&mut body)?, None),
        ENTRY_UNTIL => {
            let deadline = body.try_get_u64_le().ok()?;
            Record::Entry(entry(&mut body)?, Some(deadline))
        }
        COMPACTED => Record::Compacted(revision(&mut body)?),
        SEALED => Record::Sealed,
        _ => return None,
    };
    body.is_empty().then_some(record)
}

/// Looks behind a bad record for one that vouches for it. `tail` begins at `offset` of the file.
pub(super) fn vouched(tail: &[u8], offset: u64) -> bool {
    let mut at = 0;
    while let Some(head) = tail[at..].first_chunk() {
        let body = header(head).and_then(|(length, crc)| {
            let body = tail.get(at + HEADER..)?.get(..length)?;
            is_whole(body, crc).then_some(body)
        });
        match body {
            Some(mut body) if at > 0 => {
                if body.try_get_u64_le().is_ok_and(|durable| durable > offset) {
                    return true;
                }
                at += HEADER + body.len() + size_of::<u64>();
            }
            _ => at += 1,
        }
    }
    false
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.put_u32_le(u32::try_from(bytes.len()).expect("the writer bounds transactions"));
    out.put_slice(bytes);
}

fn revision(body: &mut Bytes) -> Option<Revision> {
    body.try_get_u64_le().ok().map(Revision)
}

fn bytes(body: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(body.try_get_u32_le().ok()?).ok()?;
    (length <= body.len()).then(|| body.split_to(length))
}

fn entry(body: &mut Bytes) -> Option<KeyValue> {
    Some(KeyValue {
        created: revision(body)?,
        modified: revision(body)?,
        key: bytes(body)?,
        value: bytes(body)?,
    })
}

/// One write, and when what it puts goes.
fn op(body: &mut Bytes) -> Option<(Op, Option<Moment>)> {
    let tag = body.try_get_u8().ok()?;
    let deadline = match tag {
        PUT_UNTIL => Some(body.try_get_u64_le().ok()?),
        _ => None,
    };
    let key = bytes(body)?;
    let op = match tag {
        PUT | PUT_UNTIL => Op::Put {
            value: bytes(body)?,
            key,
        },
        DELETE => Op::Delete { key },
        _ => return None,
    };
    Some((op, deadline))
}
