//! How a cache begins, begins anew, forgets and ends.

use super::*;

#[tokio::test(start_paused = true)]
async fn changes_are_forgotten_with_age() {
    let cache = cache().await;
    for _ in 0..100 {
        cache.commit(put("/r/a", "red")).await.unwrap();
        tokio::time::advance(Duration::from_secs(10)).await;
    }
    let error = cache
        .watch(WatchRequest::new("/r/", Revision(60)))
        .err()
        .unwrap();
    assert!(matches!(error, StoreError::Compacted { .. }));
    assert!(cache.watch(WatchRequest::new("/r/", Revision(75))).is_ok());
}

#[tokio::test]
async fn compaction_under_a_lagging_cache_restarts_it() {
    let store = Arc::new(MemoryStore::new());
    let cancel = CancellationToken::new();
    let start = WatchCache::start(
        Arc::clone(&store) as Arc<dyn Store>,
        Paint,
        Bytes::from("/r/"),
        CacheOptions::default(),
        cancel,
    );
    let cache = start.await.unwrap();
    let mut watcher = cache
        .watch(WatchRequest::new("/r/", Revision::ZERO))
        .unwrap();
    // Everything on one thread without yielding: the cache has had no chance to see it.
    store
        .commit(put("/r/a", "red"))
        .now_or_never()
        .unwrap()
        .unwrap();
    store
        .commit(put("/r/a", "blue"))
        .now_or_never()
        .unwrap()
        .unwrap();
    store.compact(Revision(2)).now_or_never().unwrap().unwrap();
    cache.wait_for(Revision(2)).await.unwrap();
    assert_eq!(cache.get(b"/r/a").unwrap().entry.colour, "blue");
    assert!(matches!(
        watcher.next().await,
        Some(Err(StoreError::Compacted { .. }))
    ));
    cache.commit(put("/r/b", "red")).await.unwrap();
    assert_eq!(cache.count(b"/r/"), 2);
}

#[tokio::test]
async fn an_undecodable_value_stops_the_cache() {
    let store = Arc::new(MemoryStore::new());
    let cancel = CancellationToken::new();
    let bad = || Txn {
        ops: vec![Op::Put {
            key: Bytes::from("/r/bad"),
            value: Bytes::from_static(b"\xff"),
        }],
        ..Txn::default()
    };
    let cache = cache().await;
    let mut watcher = cache
        .watch(WatchRequest::new("/r/", Revision::ZERO))
        .unwrap();
    let error = cache.commit(bad()).await.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot decode the value of /r/bad: "),
        "{error}"
    );
    assert!(matches!(
        watcher.next().await,
        Some(Err(StoreError::Undecodable { .. }))
    ));

    store.commit(bad()).await.unwrap();
    let options = CacheOptions::default();
    let started = WatchCache::start(store, Paint, Bytes::from("/r/"), options, cancel).await;
    assert!(matches!(
        started.err(),
        Some(StoreError::Undecodable { .. })
    ));
}

#[tokio::test]
async fn watchers_end_with_the_cache() {
    let cache = cache().await;
    let mut watcher = cache
        .watch(WatchRequest::new("/r/", Revision::ZERO))
        .unwrap();
    cache.commit(put("/r/a", "red")).await.unwrap();
    drop(cache);
    let all: Vec<_> = watcher.by_ref().map(|item| short(&item)).collect().await;
    assert_eq!(all.last().unwrap(), "! the store is closed");
}

#[tokio::test]
async fn a_codec_that_panics_leaves_nobody_waiting() {
    struct Fragile;

    impl Codec for Fragile {
        type Entry = ();

        fn entry(&self, _: &KeyValue) -> Result<(), CodecError> {
            panic!("a broken codec")
        }
    }

    let store = Arc::new(MemoryStore::new());
    let (options, cancel) = (CacheOptions::default(), CancellationToken::new());
    let cache = WatchCache::start(store, Fragile, Bytes::from("/r/"), options, cancel)
        .await
        .unwrap();
    let error = cache.commit(put("/r/a", "red")).await.unwrap_err();
    assert!(matches!(error, StoreError::Closed));
}
