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

#[tokio::test]
async fn a_commit_is_visible_when_it_returns() {
    let cache = cache().await;
    for step in 1..50 {
        let outcome = cache
            .commit(put("/r/a", &format!("c{step}")))
            .await
            .unwrap();
        assert_eq!(outcome, TxnOutcome::Committed(Revision(step)));
        assert_eq!(cache.get(b"/r/a").unwrap().entry.colour, format!("c{step}"));
    }
    // Outside the cache's prefix as well: progress counts.
    cache.commit(put("/other", "x")).await.unwrap();
    assert_eq!(cache.revision(), Revision(50));
    assert!(cache.get(b"/other").is_none());
}

#[tokio::test]
async fn a_lost_compare_passes_through() {
    let cache = cache().await;
    cache.commit(put("/r/a", "red")).await.unwrap();
    let mut txn = put("/r/a", "blue");
    txn.compares.push(Compare::Absent(Bytes::from("/r/a")));
    let outcome = cache.commit(txn).await.unwrap();
    assert!(matches!(outcome, TxnOutcome::Conflict(found) if found[0].is_some()));
}

#[tokio::test]
async fn lists_page_filter_and_continue_at_their_revision() {
    let cache = cache().await;
    for key in ["/r/a/1", "/r/a/2", "/r/a/3", "/r/b/1"] {
        cache.commit(put(key, "red")).await.unwrap();
    }
    let first = cache.list(b"/r/a/", None, Some(2), &|_| true);
    assert_eq!(
        (keys(&first), first.1, first.2),
        (vec!["/r/a/1", "/r/a/2"], Revision(4), true)
    );
    assert_eq!(cache.count(b"/r/a/"), 3);

    cache.commit(delete("/r/a/3")).await.unwrap();
    cache.commit(put("/r/a/4", "blue")).await.unwrap();
    cache.commit(put("/r/a/1", "blue")).await.unwrap();

    let rest = cache
        .list_at(first.1, b"/r/a/", Some(b"/r/a/2"), Some(2), &|_| true)
        .await
        .unwrap();
    assert_eq!(
        (keys(&rest), rest.1, rest.2),
        (vec!["/r/a/3"], Revision(4), false)
    );
    let blue = cache.list(b"/r/", None, Some(1), &|object| {
        object.entry.colour == "blue"
    });
    assert_eq!((keys(&blue), blue.2), (vec!["/r/a/1"], true));
    let future = cache
        .list_at(Revision(99), b"/r/", None, None, &|_| true)
        .await;
    assert!(matches!(future, Err(StoreError::Future { .. })));
}

#[tokio::test]
async fn old_lists_fall_back_to_the_store() {
    let retention = Retention {
        changes: 1,
        ..Retention::default()
    };
    let cache = cache_with(CacheOptions {
        retention,
        ..CacheOptions::default()
    })
    .await;
    for step in 1..=20 {
        cache
            .commit(put("/r/a", &format!("c{step}")))
            .await
            .unwrap();
    }
    let old = cache
        .list_at(Revision(3), b"/r/", None, None, &|_| true)
        .await
        .unwrap();
    assert_eq!(old.0[0].entry.colour, "c3");
    let watch = cache.watch(WatchRequest::new("/r/", Revision(3)));
    assert!(matches!(watch.err(), Some(StoreError::Compacted { .. })));
}

#[tokio::test]
async fn a_watch_replays_then_follows() {
    let cache = cache().await;
    cache.commit(put("/r/a", "red")).await.unwrap();
    cache.commit(put("/r/a", "blue")).await.unwrap();
    let mut watcher = cache.watch(WatchRequest::new("/r/", Revision(1))).unwrap();
    cache.commit(put("/r/b", "red")).await.unwrap();
    assert_eq!(drain(&mut watcher), ["~/r/a blue", "+/r/b red"]);
    cache.commit(delete("/r/a")).await.unwrap();
    assert_eq!(drain(&mut watcher), ["-/r/a blue at 4"]);
    assert!(drain(&mut watcher).is_empty());
}

#[tokio::test]
async fn crossing_a_selection_adds_and_deletes() {
    let cache = cache().await;
    let filter: Filter<Painted> = Arc::new(|entry| entry.colour == "red");
    let mut red = cache
        .watch(WatchRequest {
            filter,
            ..WatchRequest::new("/r/", Revision::ZERO)
        })
        .unwrap();
    let bucket = Some(on("n1"));
    let mut n1 = cache
        .watch(WatchRequest {
            bucket,
            ..WatchRequest::new("/r/", Revision::ZERO)
        })
        .unwrap();
    assert!(drain(&mut n1).is_empty());
    for txn in [
        put("/r/a", "blue"),
        put("/r/a", "red@n1"),
        put("/r/a", "red@n2"),
        put("/r/a", "blue@n1"),
        delete("/r/a"),
    ] {
        cache.commit(txn).await.unwrap();
    }
    assert_eq!(
        drain(&mut red),
        ["+/r/a red", "~/r/a red", "-/r/a red at 4"]
    );
    let seen = [
        "+/r/a red",
        "-/r/a red at 3",
        "+/r/a blue",
        "-/r/a blue at 5",
    ];
    assert_eq!(drain(&mut n1), seen);
}

#[tokio::test]
async fn events_meet_only_the_buckets_that_they_concern() {
    let cache = cache().await;
    let watch = |prefix: &'static str, bucket| {
        cache
            .watch(WatchRequest {
                bucket,
                ..WatchRequest::new(prefix, Revision::ZERO)
            })
            .unwrap()
    };
    let mut watchers = [
        watch("/r/pods/", Some(on("n1"))),
        watch("/r/pods/", Some(on("n2"))),
        watch("/r/pods/", None),
        watch("/r/pods/a/", None),
        watch("/r/", Some(on("n1"))),
        watch("/r/nodes/", None),
    ];
    assert_eq!(cache.watchers(), 6);
    cache.commit(put("/r/pods/a/1", "red@n1")).await.unwrap();
    let seen = watchers.each_mut().map(|watcher| drain(watcher).len());
    assert_eq!(seen, [1, 0, 1, 1, 1, 0]);
    drop(watchers);
    assert_eq!(cache.watchers(), 0);
}

#[tokio::test]
async fn a_watcher_that_fell_behind_catches_up_without_gap_or_duplicate() {
    let cache = cache_with(CacheOptions {
        inbox: 4,
        ..CacheOptions::default()
    })
    .await;
    let mut watcher = cache
        .watch(WatchRequest::new("/r/", Revision::ZERO))
        .unwrap();
    let mut expected = Vec::new();
    let mut seen = Vec::new();
    for step in 0..300 {
        cache
            .commit(put(&format!("/r/{step:03}"), "red"))
            .await
            .unwrap();
        expected.push(format!("+/r/{step:03} red"));
        if step % 37 == 0 {
            // Take a few, leave the rest.
            for _ in 0..3 {
                seen.extend(watcher.next().now_or_never().flatten().as_ref().map(short));
            }
        }
    }
    seen.extend(drain(&mut watcher));
    assert_eq!(seen, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn inbox_and_timeline_hand_over_without_gap_or_duplicate_under_load() {
    let cache = cache_with(CacheOptions {
        inbox: 2,
        ..CacheOptions::default()
    })
    .await;
    let total = 2_000;
    let mut watchers = tokio::task::JoinSet::new();
    for number in 0..8 {
        let watcher = cache
            .watch(WatchRequest::new("/r/", Revision::ZERO))
            .unwrap();
        watchers.spawn(async move {
            let revisions = watcher.take(total).then(async |item| {
                let revision = item.unwrap().revision().0;
                if revision % (7 * number + 3) == 0 {
                    tokio::task::yield_now().await;
                }
                revision
            });
            revisions.collect::<Vec<_>>().await
        });
    }
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..4 {
        let cache = cache.clone();
        writers.spawn(async move {
            for step in 0..total / 4 {
                cache
                    .commit(put(&format!("/r/{number}/{}", step % 50), "red"))
                    .await
                    .unwrap();
            }
        });
    }
    writers.join_all().await;
    for revisions in watchers.join_all().await {
        assert_eq!(revisions, (1..=total as u64).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_watcher_slower_than_history_is_told_so() {
    let retention = Retention {
        changes: 16,
        ..Retention::default()
    };
    let cache = cache_with(CacheOptions {
        retention,
        inbox: 4,
        ..CacheOptions::default()
    })
    .await;
    let mut watcher = cache
        .watch(WatchRequest::new("/r/", Revision::ZERO))
        .unwrap();
    cache.commit(put("/r/a", "red")).await.unwrap();
    assert_eq!(drain(&mut watcher), ["+/r/a red"]);
    for _ in 0..100 {
        cache.commit(put("/r/a", "red")).await.unwrap();
    }
    let error = watcher.next().await.unwrap().unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Compacted {
                requested: Revision(1),
                ..
            }
        ),
        "{error}"
    );
    assert!(watcher.next().await.is_none());
}

#[tokio::test]
async fn a_quiet_watcher_is_not_a_slow_one() {
    let retention = Retention {
        changes: 16,
        ..Retention::default()
    };
    let cache = cache_with(CacheOptions {
        retention,
        inbox: 4,
        ..CacheOptions::default()
    })
    .await;
    let mut watcher = cache
        .watch(WatchRequest::new("/r/quiet", Revision::ZERO))
        .unwrap();
    assert!(drain(&mut watcher).is_empty());
    for _ in 0..100 {
        cache.commit(put("/r/loud", "red")).await.unwrap();
    }
    cache.commit(put("/r/quiet", "red")).await.unwrap();
    assert_eq!(drain(&mut watcher), ["+/r/quiet red"]);
}

#[tokio::test(start_paused = true)]
async fn bookmarks_tell_quiet_watchers_how_far_they_are() {
    let cache = cache().await;
    let request = WatchRequest {
        bookmarks: true,
        ..WatchRequest::new("/r/quiet", Revision::ZERO)
    };
    let mut watcher = cache.watch(request).unwrap();
    cache.commit(put("/r/loud", "red")).await.unwrap();
    assert!(drain(&mut watcher).is_empty());
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(drain(&mut watcher), ["=1"]);
}

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
