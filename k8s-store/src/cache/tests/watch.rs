//! Watching.

use super::*;

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
