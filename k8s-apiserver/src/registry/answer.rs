//! What a read or a write of one object returns: bytes that exist already, or a tree that was never stored.

use std::sync::Arc;

use bytes::Bytes;
use k8s_apimachinery::Object;

use super::{Entry, Stored, entry};

/// One object on its way to the client.
#[derive(Debug)]
pub enum Answer {
    /// From the cache.
    Cached(Arc<Stored>),
    /// Just committed by this request; a later write may be in the cache already.
    Written(Box<Entry>),
    /// Not stored in this form: a dry run, a view such as `Scale`, the last state of a deleted object.
    Tree(Object),
}

impl Answer {
    /// The encoded object, if there is one.
    pub fn entry(&self) -> Option<&Entry> {
        match self {
            Answer::Cached(stored) => Some(&stored.entry),
            Answer::Written(entry) => Some(entry),
            Answer::Tree(_) => None,
        }
    }

    /// The object as a tree; parses it if need be.
    pub fn object(&self) -> Object {
        match self {
            Answer::Cached(stored) => stored.entry.object(),
            Answer::Written(entry) => entry.object(),
            Answer::Tree(object) => object.clone(),
        }
    }

    /// The object as JSON.
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Answer::Cached(stored) => stored.entry.to_bytes(),
            Answer::Written(entry) => entry.to_bytes(),
            Answer::Tree(object) => entry::encode_with_revision(object),
        }
    }
}
