//! What is too much for one message.

use bytes::Bytes;
use futures::StreamExt;
use k8s_store::{Event, Op, Range, Revision, Store, Txn, TxnOutcome, WatchItem};

use crate::server::Server;

async fn write(store: &dyn Store, keys: impl Iterator<Item = usize>, value: &Bytes) -> Revision {
    let put = |key| Op::Put {
        key: Bytes::from(format!("/k/{key:06}")),
        value: value.clone(),
    };
    let ops = keys.map(put).collect();
    match store
        .commit(Txn {
            ops,
            ..Txn::default()
        })
        .await
    {
        Ok(TxnOutcome::Committed(revision)) => revision,
        other => panic!("{other:?}"),
    }
}

/// Ranges are read in pages, all of which are of one state.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_range_is_of_one_piece() {
    const KEYS: usize = 5_000;
    let server = Server::start();
    let store = server.store().await;
    let (old, new) = (Bytes::from("old"), Bytes::from("new"));
    let mut last = Revision::ZERO;
    for first in (0..KEYS).step_by(100) {
        last = write(&*store, first..first + 100, &old).await;
    }
    let overwrite = async {
        for first in (0..KEYS).step_by(100) {
            write(&*store, first..first + 100, &new).await;
        }
    };
    let prefix = Bytes::from("/k/");
    let read = store.range(Range {
        prefix: prefix.clone(),
        ..Range::default()
    });
    let (page, ()) = tokio::join!(read, overwrite);
    let page = page.expect("readable");
    assert_eq!((page.items.len(), page.remaining), (KEYS, 0));
    assert!(page.items.iter().all(|kv| kv.modified <= page.revision));
    let overwritten = page.items.iter().filter(|kv| kv.value == new).count();
    assert_eq!(overwritten % 100, 0, "half a transaction");

    let (limit, at) = (Some(2_500), Some(last));
    let page = store
        .range(Range {
            prefix,
            after: None,
            limit,
            at,
        })
        .await
        .expect("retained");
    assert_eq!((page.items.len(), page.remaining), (2_500, KEYS - 2_500));
    assert!(page.items.iter().all(|kv| kv.value == old));
}

/// What a watch has to catch up on comes in fragments, which are put together again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_events_arrive_whole() {
    const EVENTS: usize = 24;
    let server = Server::start();
    let store = server.store().await;
    let (_, from) = store.get(b"/").await.expect("readable");
    let value = Bytes::from(vec![7; 300_000]);
    for _ in 0..EVENTS / 4 {
        write(&*store, 0..4, &value).await;
    }
    let mut watch = store
        .watch(Bytes::from("/k/"), from)
        .await
        .expect("retained");
    let mut revision = from;
    let mut seen = 0;
    while seen < EVENTS {
        match watch.next().await.expect("it goes on").expect("no error") {
            WatchItem::Events(at, events) => {
                assert_eq!(
                    (at, events.len()),
                    (revision.next(), 4),
                    "a transaction is whole"
                );
                let is_whole = |event: &Event| match event {
                    Event::Put { current, previous } => {
                        let previous = previous.as_ref().map(|kv| &kv.value);
                        current.value == value && previous.is_none_or(|old| *old == value)
                    }
                    Event::Delete { .. } => false,
                };
                assert!(events.iter().all(is_whole));
                (revision, seen) = (at, seen + 4);
            }
            WatchItem::Progress(at) => assert_eq!(at, revision),
        }
    }
}
