//! The watch cache: one copy of everything under a prefix, decoded and encoded once, from which any
//! number of readers list and watch without touching the engine.
//!
//! One task follows the engine and is the only writer. Readers take a snapshot (a reference count
//! under a short lock) and walk it freely. A watcher has a small inbox that is filled with what may
//! concern it; if it doesn't keep up, the inbox is dropped and the watcher catches up from the
//! retained changes at its own pace, so a slow one costs the writer nothing. When even those are
//! gone, its stream ends with [`StoreError::Compacted`](crate::StoreError::Compacted).

mod codec;
mod fresh;
mod inbox;
mod pump;
mod registry;
mod shared;
mod watch_cache;
mod watcher;

pub use codec::{Bucket, Cached, Codec, CodecError};
pub use watch_cache::{CacheOptions, Listing, WatchCache};
pub use watcher::{CacheEvent, Filter, WatchRequest, Watcher};

#[cfg(test)]
mod tests;
