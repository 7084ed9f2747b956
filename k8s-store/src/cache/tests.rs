mod fresh;
mod life;
mod read;
mod replay;
mod stuck;
mod watch;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    Compare, KeyValue, Op, Retention, Revision, Store, StoreError, Txn, TxnOutcome,
    memory::MemoryStore,
};

/// Values are `colour` or `colour@node`; the node is the bucket.
struct Paint;

#[derive(Debug, PartialEq)]
struct Painted {
    colour: String,
    node: Option<String>,
}

impl Codec for Paint {
    type Entry = Painted;

    fn entry(&self, kv: &KeyValue) -> Result<Painted, CodecError> {
        let text = std::str::from_utf8(&kv.value)?;
        let (colour, node) = match text.split_once('@') {
            Some((colour, node)) => (colour, Some(node.to_owned())),
            None => (text, None),
        };
        Ok(Painted {
            colour: colour.to_owned(),
            node,
        })
    }

    fn buckets(&self, entry: &Painted, out: &mut Vec<Bucket>) {
        out.extend(entry.node.as_deref().map(on));
    }
}

fn on(node: &str) -> Bucket {
    Bucket {
        index: "node",
        value: node.to_owned(),
    }
}

fn put(key: &str, value: &str) -> Txn {
    let (key, value) = (
        Bytes::copy_from_slice(key.as_bytes()),
        value.to_owned().into(),
    );
    Txn {
        compares: vec![],
        ops: vec![Op::Put { key, value }],
    }
}

fn delete(key: &str) -> Txn {
    let key = Bytes::copy_from_slice(key.as_bytes());
    Txn {
        compares: vec![],
        ops: vec![Op::Delete { key }],
    }
}

async fn cache_with(options: CacheOptions) -> WatchCache<Paint> {
    let store = Arc::new(MemoryStore::new());
    let cancel = CancellationToken::new();
    WatchCache::start(store, Paint, Bytes::from("/r/"), options, cancel)
        .await
        .unwrap()
}

async fn cache() -> WatchCache<Paint> {
    cache_with(CacheOptions::default()).await
}

fn keys(listing: &Listing<Painted>) -> Vec<&str> {
    listing
        .0
        .iter()
        .map(|object| std::str::from_utf8(&object.key).unwrap())
        .collect()
}

/// An event in short: `+key colour`, `~key colour`, `-key colour`, `=` for a bookmark, `! error`.
fn short(item: &Result<CacheEvent<Painted>, StoreError>) -> String {
    let name =
        |object: &Cached<Painted>| format!("{} {}", object.key.escape_ascii(), object.entry.colour);
    match item {
        Ok(CacheEvent::Added(object)) => format!("+{}", name(object)),
        Ok(CacheEvent::Modified(object)) => format!("~{}", name(object)),
        Ok(CacheEvent::Deleted { last, revision }) => format!("-{} at {revision}", name(last)),
        Ok(CacheEvent::Bookmark(revision)) => format!("={revision}"),
        Err(error) => format!("! {error}"),
    }
}

/// All that a watcher has to say without waiting.
fn drain(watcher: &mut Watcher<Paint>) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some(Some(item)) = watcher.next().now_or_never() {
        seen.push(short(&item));
    }
    seen
}
