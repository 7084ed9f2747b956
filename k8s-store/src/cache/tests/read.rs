//! Reading and writing through the cache.

use super::*;

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
