//! What watches promise.

use std::time::Duration;

use super::{bytes, delete, events, item, kv, put, write};
use crate::{Event, Revision, Store, StoreError, WatchItem, WatchStream};

/// A watch delivers what happened after its revision, then what happens, each with the state before.
pub async fn watches_replay(store: &dyn Store) {
    write(store, vec![put("a", "1")]).await;
    write(store, vec![put("a", "2")]).await;
    let mut watch = store.watch(bytes(""), Revision(1)).await.unwrap();
    let future = store.watch(bytes(""), Revision(3)).await.err();
    assert!(
        matches!(future, Some(StoreError::Future { .. })),
        "{future:?}"
    );
    write(store, vec![delete("a")]).await;
    write(store, vec![put("a", "4")]).await;
    let expected = [
        Event::Put {
            current: kv("a", "2", 1, 2),
            previous: Some(kv("a", "1", 1, 1)),
        },
        Event::Delete {
            revision: Revision(3),
            previous: kv("a", "2", 1, 2),
        },
        Event::Put {
            current: kv("a", "4", 4, 4),
            previous: None,
        },
    ];
    assert_eq!(events(&mut watch, 3).await, expected);
    write(store, vec![put("a", "5")]).await;
    assert_eq!(events(&mut watch, 1).await[0].revision(), Revision(5));
}

/// A watch sees its prefix and nothing else, and deleting what is absent is no event.
pub async fn watches_select(store: &dyn Store) {
    let mut watch = store.watch(bytes("b/"), Revision::ZERO).await.unwrap();
    write(
        store,
        vec![
            put("a/1", "x"),
            put("b/1", "x"),
            put("b", "x"),
            put("b0", "x"),
        ],
    )
    .await;
    write(store, vec![delete("b/2")]).await;
    write(store, vec![delete("a/1"), delete("b/1"), put("b/3", "x")]).await;
    let seen = events(&mut watch, 3).await;
    let keys: Vec<_> = seen
        .iter()
        .map(|event| (event.revision().0, &event.key()[..]))
        .collect();
    assert_eq!(keys, [(1, b"b/1".as_slice()), (2, b"b/1"), (2, b"b/3")]);
}

/// A watch of a quiet prefix says on request how far it has come, but only when nothing is outstanding;
/// one that can't tell keeps silent.
pub async fn watches_progress(store: &dyn Store) {
    let mut watch = store.watch(bytes("quiet/"), Revision::ZERO).await.unwrap();
    for _ in 0..3 {
        write(store, vec![put("loud/a", "x")]).await;
    }
    let told = store.request_progress().await.unwrap();
    let mut reached = Revision::ZERO;
    while told && reached < Revision(3) {
        match progress(store, &mut watch).await {
            WatchItem::Progress(revision) => reached = revision,
            WatchItem::Events(_, events) => panic!("{events:?} are not under the prefix"),
        }
    }
    assert!(reached <= Revision(3), "progress overtook the store");
    write(store, vec![put("quiet/a", "x")]).await;
    write(store, vec![put("loud/a", "y")]).await;
    let mut seen = false;
    while reached < Revision(5) {
        match progress(store, &mut watch).await {
            WatchItem::Progress(revision) => {
                assert!(seen || revision < Revision(4), "progress overtook an event");
                assert!(told, "it can't know that");
                reached = revision;
            }
            WatchItem::Events(revision, _) => {
                assert_eq!((revision, seen), (Revision(4), false));
                seen = true;
                if !told {
                    return;
                }
            }
        }
    }
}

/// The next item, while progress is asked for again and again.
async fn progress(store: &dyn Store, watch: &mut WatchStream) -> WatchItem {
    let ask = async {
        loop {
            store.request_progress().await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        item = item(watch) => item,
        () = ask => unreachable!("it asks until something comes"),
    }
}

/// The changes of one transaction arrive as one item, in the order of its operations.
pub async fn transactions_arrive_whole(store: &dyn Store) {
    write(store, vec![put("b", "1")]).await;
    let mut watch = store.watch(bytes(""), Revision::ZERO).await.unwrap();
    write(store, vec![put("c", "2"), delete("b"), put("a", "2")]).await;
    let mut items = Vec::new();
    while items.len() < 2 {
        if let WatchItem::Events(revision, events) = item(&mut watch).await {
            let keys: Vec<_> = events.iter().map(|event| event.key().clone()).collect();
            items.push((revision.0, keys));
        }
    }
    assert_eq!(
        items,
        [
            (1, vec![bytes("b")]),
            (2, vec![bytes("c"), bytes("b"), bytes("a")])
        ]
    );
}
