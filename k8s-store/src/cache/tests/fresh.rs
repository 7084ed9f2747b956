//! A store that others write to as well: a memory store whose watch says nothing of its progress unless
//! it is asked, or ever.

use std::{
    fmt,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use async_trait::async_trait;
use tokio::sync::watch;

use super::*;
use crate::{Page, Range, WatchItem, WatchStream};

struct Shared {
    store: MemoryStore,
    /// Whether word of progress can be had.
    tells: bool,
    asked: watch::Sender<usize>,
    /// Whether events are held back.
    held: watch::Sender<bool>,
    reads: AtomicUsize,
    down: AtomicBool,
}

impl Shared {
    fn new(tells: bool) -> Arc<Self> {
        Arc::new(Shared {
            store: MemoryStore::new(),
            tells,
            asked: watch::Sender::new(0),
            held: watch::Sender::new(false),
            reads: AtomicUsize::new(0),
            down: AtomicBool::new(false),
        })
    }

    /// As another server does it: without the cache.
    async fn write(&self, txn: Txn) -> Revision {
        match self.store.commit(txn).await.unwrap() {
            TxnOutcome::Committed(revision) => revision,
            TxnOutcome::Conflict(_) => unreachable!("nothing was compared"),
        }
    }

    fn asked(&self) -> usize {
        *self.asked.borrow()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

#[async_trait]
impl Store for Shared {
    async fn get(&self, key: &[u8]) -> Result<(Option<KeyValue>, Revision), StoreError> {
        self.reads.fetch_add(1, Relaxed);
        self.store.get(key).await
    }

    async fn range(&self, range: Range) -> Result<Page, StoreError> {
        self.reads.fetch_add(1, Relaxed);
        self.store.range(range).await
    }

    async fn commit(&self, txn: Txn) -> Result<TxnOutcome, StoreError> {
        self.store.commit(txn).await
    }

    /// Delivers events unless they are held, and progress when it was asked for meanwhile.
    async fn watch(&self, prefix: Bytes, from: Revision) -> Result<WatchStream, StoreError> {
        let changes = self.store.watch(prefix, from).await?;
        let (asked, held) = (self.asked.subscribe(), self.held.subscribe());
        let state = (changes, asked, held, from);
        let items =
            futures::stream::unfold(state, async |(mut changes, mut asked, mut held, mut at)| {
                loop {
                    held.wait_for(|held| !held).await.ok()?;
                    tokio::select! {
                        biased;
                        item = changes.next() => match item? {
                            Ok(WatchItem::Progress(revision)) => at = revision,
                            item => return Some((item, (changes, asked, held, at))),
                        },
                        Ok(()) = asked.changed() => {
                            return Some((Ok(WatchItem::Progress(at)), (changes, asked, held, at)));
                        }
                    }
                }
            });
        Ok(items.boxed())
    }

    async fn compact(&self, at: Revision) -> Result<(), StoreError> {
        self.store.compact(at).await
    }

    async fn revisions(&self) -> Result<(Revision, Revision), StoreError> {
        if self.down.load(Relaxed) {
            let detail = "no majority".to_owned();
            return Err(StoreError::Unavailable { detail });
        }
        self.store.revisions().await
    }

    async fn size(&self) -> Result<u64, StoreError> {
        self.store.size().await
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn request_progress(&self) -> Result<bool, StoreError> {
        if self.tells {
            self.asked.send_modify(|times| *times += 1);
        }
        Ok(self.tells)
    }
}

async fn cache_of(store: &Arc<Shared>) -> WatchCache<Paint> {
    let (prefix, cancel) = (Bytes::from("/r/"), CancellationToken::new());
    let store = Arc::clone(store) as Arc<dyn Store>;
    let cache = WatchCache::start(store, Paint, prefix, CacheOptions::default(), cancel);
    cache.await.unwrap()
}

async fn colour(cache: &WatchCache<Paint>, key: &str) -> Option<String> {
    let found = cache.get_fresh(key.as_bytes()).await.unwrap();
    found.map(|object| object.entry.colour.clone())
}

#[tokio::test(start_paused = true)]
async fn a_fresh_read_waits_for_the_cache_and_spares_the_store() {
    let store = Shared::new(true);
    let cache = cache_of(&store).await;
    let reads = store.reads.load(Relaxed);
    for step in 0..20 {
        store.write(put("/r/a", &step.to_string())).await;
        store.write(put("/elsewhere", "x")).await;
        assert_eq!(colour(&cache, "/r/a").await, Some(step.to_string()));
        let listing = cache
            .list_fresh(b"/r/", None, None, &|_| true)
            .await
            .unwrap();
        assert_eq!(
            (keys(&listing), listing.1),
            (vec!["/r/a"], cache.revision())
        );
    }
    store.write(delete("/r/a")).await;
    assert_eq!(colour(&cache, "/r/a").await, None);
    assert_eq!(store.reads.load(Relaxed), reads, "the store was read");
    assert!(store.asked() >= 20);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_tell_is_read_itself() {
    let store = Shared::new(false);
    let cache = cache_of(&store).await;
    store.write(put("/r/a", "red")).await;
    // Events tell as well, so this much the cache knows by itself.
    let reads = store.reads.load(Relaxed);
    assert_eq!(colour(&cache, "/r/a").await.as_deref(), Some("red"));
    assert_eq!(store.reads.load(Relaxed), reads);

    let newest = store.write(put("/elsewhere", "x")).await;
    assert_eq!(colour(&cache, "/r/a").await.as_deref(), Some("red"));
    assert_eq!(store.reads.load(Relaxed), reads + 1);
    let (items, revision, _) = cache
        .list_fresh(b"/r/", None, None, &|_| true)
        .await
        .unwrap();
    assert!(newest == revision && cache.revision() < newest);
    let cached = cache.get(b"/r/a").unwrap();
    assert!(Arc::ptr_eq(&items[0], &cached), "decoded a second time");

    // What was read can be read on and watched from, though the cache has not come so far.
    assert!(!cache.reach(newest).await.unwrap());
    let again = cache
        .list_at(newest, b"/r/", None, None, &|_| true)
        .await
        .unwrap();
    assert_eq!(keys(&again), ["/r/a"]);
    let mut watcher = cache.watch(WatchRequest::new("/r/", newest)).unwrap();
    store.write(put("/r/b", "blue")).await;
    assert!(colour(&cache, "/r/b").await.is_some());
    assert_eq!(drain(&mut watcher), ["+/r/b blue"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_ahead_of_the_cache_tells_nothing_twice() {
    let store = Shared::new(true);
    let cache = cache_of(&store).await;
    store.held.send_replace(true);
    store.write(put("/r/a", "red")).await;
    let (items, revision, _) = cache
        .list_fresh(b"/r/", None, None, &|_| true)
        .await
        .unwrap();
    assert_eq!(
        (items.len(), cache.revision()),
        (1, Revision::ZERO),
        "read from the store"
    );
    let mut watcher = cache.watch(WatchRequest::new("/r/", revision)).unwrap();
    store.held.send_replace(false);
    store.write(put("/r/a", "blue")).await;
    assert_eq!(colour(&cache, "/r/a").await.as_deref(), Some("blue"));
    assert_eq!(drain(&mut watcher), ["~/r/a blue"]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_known_is_an_error() {
    let store = Shared::new(true);
    let cache = cache_of(&store).await;
    let ahead = cache.reach(Revision(7)).await;
    assert!(
        matches!(
            ahead,
            Err(StoreError::Future {
                requested: Revision(7),
                ..
            })
        ),
        "{ahead:?}"
    );
    store.down.store(true, Relaxed);
    let unread = cache.get_fresh(b"/r/a").await;
    assert!(
        matches!(unread, Err(StoreError::Unavailable { .. })),
        "{unread:?}"
    );
}
