//! The watch cache dressed as a store, so that the suite can judge it.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::{
    Event, KeyValue, Page, Range, Revision, Store, StoreError, Txn, TxnOutcome, WatchItem,
    WatchStream,
    cache::{CacheEvent, CacheOptions, Cached, Codec, CodecError, WatchCache, WatchRequest},
};

/// A [`WatchCache`] of raw values over a store. Reads and watches are served by the cache, writes go
/// through it.
pub struct ThroughCache {
    cache: WatchCache<Raw>,
    store: Arc<dyn Store>,
}

/// Takes values as they are.
struct Raw;

impl Codec for Raw {
    type Entry = Bytes;

    fn entry(&self, kv: &KeyValue) -> Result<Bytes, CodecError> {
        Ok(kv.value.clone())
    }
}

impl ThroughCache {
    /// Puts a cache of everything in front of a store.
    pub async fn new(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let options = CacheOptions {
            bookmark_interval: Duration::from_millis(10),
            ..CacheOptions::default()
        };
        let (prefix, cancel) = (Bytes::new(), CancellationToken::new());
        let cache = WatchCache::start(Arc::clone(&store), Raw, prefix, options, cancel).await?;
        Ok(ThroughCache { cache, store })
    }
}

impl fmt::Debug for ThroughCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cache.fmt(f)
    }
}

fn plain(cached: &Cached<Bytes>) -> KeyValue {
    let Cached {
        key,
        created,
        modified,
        entry,
    } = cached;
    KeyValue {
        key: key.clone(),
        value: entry.clone(),
        created: *created,
        modified: *modified,
    }
}

#[async_trait]
impl Store for ThroughCache {
    async fn get(&self, key: &[u8]) -> Result<(Option<KeyValue>, Revision), StoreError> {
        let is_key = |cached: &Cached<Bytes>| cached.key == key;
        let (found, revision, _) = self.cache.list_fresh(key, None, Some(1), &is_key).await?;
        Ok((found.first().map(|cached| plain(cached)), revision))
    }

    async fn range(&self, range: Range) -> Result<Page, StoreError> {
        let (prefix, after) = (&range.prefix, range.after.as_deref());
        let (found, revision, _) = match range.at {
            None => {
                self.cache
                    .list_fresh(prefix, after, None, &|_| true)
                    .await?
            }
            Some(at) => {
                self.cache.reach(at).await?;
                self.cache
                    .list_at(at, prefix, after, None, &|_| true)
                    .await?
            }
        };
        let mut items: Vec<_> = found.iter().map(|cached| plain(cached)).collect();
        let all = items.len();
        items.truncate(range.limit.unwrap_or(all));
        Ok(Page {
            remaining: all - items.len(),
            items,
            revision,
        })
    }

    async fn commit(&self, txn: Txn) -> Result<TxnOutcome, StoreError> {
        self.cache.commit(txn).await
    }

    /// Every change is an item of its own here.
    async fn watch(&self, prefix: Bytes, from: Revision) -> Result<WatchStream, StoreError> {
        let request = WatchRequest {
            bookmarks: true,
            ..WatchRequest::new(prefix.clone(), from)
        };
        self.cache.reach(from).await?;
        let watcher = self.cache.watch(request)?;
        // The cache doesn't report previous values, but what it reports must add up.
        let (before, ..) = self
            .cache
            .list_at(from, &prefix, None, None, &|_| true)
            .await?;
        let mut known: HashMap<_, _> = before
            .into_iter()
            .map(|cached| (cached.key.clone(), plain(&cached)))
            .collect();
        let mut item = move |event| {
            let event = match event {
                CacheEvent::Bookmark(revision) => return WatchItem::Progress(revision),
                CacheEvent::Added(cached) => {
                    let previous = known.insert(cached.key.clone(), plain(&cached));
                    assert_eq!(previous, None, "added what was there");
                    Event::Put {
                        current: plain(&cached),
                        previous,
                    }
                }
                CacheEvent::Modified(cached) => {
                    let previous = known.insert(cached.key.clone(), plain(&cached));
                    assert!(previous.is_some(), "modified what was not there");
                    Event::Put {
                        current: plain(&cached),
                        previous,
                    }
                }
                CacheEvent::Deleted { last, revision } => {
                    assert_eq!(
                        known.remove(&last.key),
                        Some(plain(&last)),
                        "deleted another"
                    );
                    Event::Delete {
                        revision,
                        previous: plain(&last),
                    }
                }
            };
            WatchItem::Events(event.revision(), vec![event])
        };
        Ok(watcher.map(move |event| event.map(&mut item)).boxed())
    }

    async fn compact(&self, at: Revision) -> Result<(), StoreError> {
        self.store.compact(at).await
    }

    async fn revisions(&self) -> Result<(Revision, Revision), StoreError> {
        self.store.revisions().await
    }

    async fn size(&self) -> Result<u64, StoreError> {
        self.store.size().await
    }

    fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    async fn request_progress(&self) -> Result<bool, StoreError> {
        self.store.request_progress().await
    }
}
