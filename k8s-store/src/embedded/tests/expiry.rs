//! Deadlines are as durable as the keys that have them.

use std::time::Duration;

use futures::StreamExt;

use super::*;

async fn put_for(store: &EmbeddedStore, key: &'static str, ttl: Duration) {
    let (key, value) = (Bytes::from(key), Bytes::from("x"));
    let ops = vec![Op::PutFor { key, value, ttl }];
    let txn = Txn {
        ops,
        ..Txn::default()
    };
    store.commit(txn).await.expect("a write that fits");
}

/// Waits until a key is gone, as its watchers see it.
async fn gone(store: &EmbeddedStore, key: &'static str) {
    let (mut found, revision) = store.get(key.as_bytes()).await.expect("readable");
    let mut watch = store.watch(Bytes::from(key), revision).await.expect("now");
    while found.is_some() {
        watch.next().await.expect("a live watch").expect("no error");
        (found, _) = store.get(key.as_bytes()).await.expect("readable");
    }
}

/// A key whose time ends while the store is closed goes when it opens; the others' times go on.
async fn survive(options: EmbeddedOptions, rewrites: u64) {
    let dir = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open_with(dir.path(), options).await.unwrap();
    put_for(&store, "short", Duration::from_millis(300)).await;
    // Far enough from the first that no slow machine confuses the two.
    put_for(&store, "longer", Duration::from_secs(4)).await;
    put_for(&store, "long", Duration::from_secs(3_600)).await;
    while store.stats().rewrites < rewrites {
        write(&store, "plain", &"x".repeat(500)).await;
        // History that is kept holds a rewrite back.
        let (present, _) = store.revisions().await.unwrap();
        store.compact(present).await.unwrap();
    }
    store.close().await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    let store = EmbeddedStore::open_with(dir.path(), options).await.unwrap();
    gone(&store, "short").await;
    assert!(store.get(b"longer").await.unwrap().0.is_some());
    gone(&store, "longer").await;
    assert!(store.get(b"long").await.unwrap().0.is_some());
    store.close().await;

    // What went has gone for good.
    let store = EmbeddedStore::open_with(dir.path(), options).await.unwrap();
    let keys: Vec<_> = state(&store).await.0.into_iter().map(|kv| kv.key).collect();
    assert_eq!(keys.first().map(|key| &key[..]), Some(&b"long"[..]));
}

#[tokio::test]
async fn deadlines_survive_in_the_log() {
    survive(SMALL, 0).await;
}

#[tokio::test]
async fn deadlines_survive_in_a_snapshot() {
    let options = EmbeddedOptions {
        rewrite_bytes: 2_000,
        ..SMALL
    };
    survive(options, 1).await;
}

/// Writes without a pause leave the sweep its turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_go_under_load() {
    let dir = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(dir.path()).await.unwrap();
    put_for(&store, "short", Duration::from_millis(50)).await;
    let busy = async {
        loop {
            write(&store, "busy", "x").await;
        }
    };
    tokio::select! {
        () = busy => {}
        () = gone(&store, "short") => {}
    }
}
