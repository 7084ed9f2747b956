//! What the cache's user teaches it: how a committed value becomes what readers share.

use bytes::Bytes;

use crate::{KeyValue, Revision, StoreError, version::tree::Keyed};

/// Why a value could not be turned into an entry.
pub type CodecError = Box<dyn std::error::Error + Send + Sync>;

/// Turns a committed value into what readers share. The store itself knows no type of object.
pub trait Codec: Send + Sync + 'static {
    /// Made once per committed value, and shared by all readers.
    type Entry: Send + Sync + 'static;

    /// Decodes a value. The entry may keep `kv.value`: it shares memory with the engine's copy.
    /// A failure stops the cache, since a list that leaves something out is worse than none.
    fn entry(&self, kv: &KeyValue) -> Result<Self::Entry, CodecError>;

    /// Adds the buckets that an entry is in, by what watchers may select on beside the key prefix.
    /// Must give the same answer for the same entry every time.
    fn buckets(&self, entry: &Self::Entry, out: &mut Vec<Bucket>) {
        let _ = (entry, out);
    }
}

/// A value that many watchers select on, such as `spec.nodeName` = `n1`: an event meets only the
/// watchers of the buckets that it enters, stays in or leaves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket {
    /// What is selected on.
    pub index: &'static str,
    /// Its value.
    pub value: String,
}

/// One object in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached<E> {
    /// The key in the store.
    pub key: Bytes,
    /// When the key was created.
    pub created: Revision,
    /// When this value was written.
    pub modified: Revision,
    /// What the codec made of it.
    pub entry: E,
}

impl<E> Keyed for Cached<E> {
    fn key(&self) -> &[u8] {
        &self.key
    }
}

impl<E> Cached<E> {
    pub(super) fn decode<C: Codec<Entry = E>>(codec: &C, kv: KeyValue) -> Result<Self, StoreError> {
        match codec.entry(&kv) {
            Ok(entry) => {
                let KeyValue {
                    key,
                    created,
                    modified,
                    ..
                } = kv;
                Ok(Cached {
                    key,
                    created,
                    modified,
                    entry,
                })
            }
            Err(error) => Err(StoreError::Undecodable {
                key: kv.key,
                detail: error.to_string(),
            }),
        }
    }
}
