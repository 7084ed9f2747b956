//! What is promised about the past, and about giving it up.

use futures::StreamExt;

use super::{bytes, delete, events, kv, put, write};
use crate::{KeyValue, Range, Revision, Store, StoreError, WatchItem};

async fn at(store: &dyn Store, revision: u64) -> Result<Vec<KeyValue>, StoreError> {
    let range = Range {
        at: Some(Revision(revision)),
        ..Range::default()
    };
    let page = store.range(range).await?;
    assert_eq!((page.revision, page.remaining), (Revision(revision), 0));
    Ok(page.items)
}

async fn fill(store: &dyn Store) {
    write(store, vec![put("a", "1")]).await;
    write(store, vec![put("a", "2"), put("b", "2")]).await;
    write(store, vec![delete("a")]).await;
    write(store, vec![put("a", "4")]).await;
}

/// The state at any retained revision is what it was then; the future can't be read.
pub async fn old_revisions_can_be_read(store: &dyn Store) {
    fill(store).await;
    assert_eq!(at(store, 0).await.unwrap(), []);
    assert_eq!(at(store, 1).await.unwrap(), [kv("a", "1", 1, 1)]);
    assert_eq!(
        at(store, 2).await.unwrap(),
        [kv("a", "2", 1, 2), kv("b", "2", 2, 2)]
    );
    assert_eq!(at(store, 3).await.unwrap(), [kv("b", "2", 2, 2)]);
    assert_eq!(
        at(store, 4).await.unwrap(),
        [kv("a", "4", 4, 4), kv("b", "2", 2, 2)]
    );
    let future = at(store, 5).await.unwrap_err();
    assert!(
        matches!(
            future,
            StoreError::Future {
                current: Revision(4),
                ..
            }
        ),
        "{future}"
    );
}

/// What is compacted can neither be read nor watched from; the compacted revision itself can.
pub async fn compaction_forgets(store: &dyn Store) {
    fill(store).await;
    store.compact(Revision(3)).await.unwrap();
    assert_eq!(store.revisions().await.unwrap(), (Revision(4), Revision(3)));
    for gone in 0..3 {
        let error = at(store, gone).await.unwrap_err();
        assert!(
            matches!(
                error,
                StoreError::Compacted {
                    compacted: Revision(3),
                    ..
                }
            ),
            "{error}"
        );
        let error = store
            .watch(bytes(""), Revision(gone))
            .await
            .err()
            .expect("gone");
        assert!(matches!(error, StoreError::Compacted { .. }), "{error}");
    }
    assert_eq!(at(store, 3).await.unwrap(), [kv("b", "2", 2, 2)]);
    let mut watch = store.watch(bytes(""), Revision(3)).await.unwrap();
    assert_eq!(events(&mut watch, 1).await[0].key(), "a");

    let again = store.compact(Revision(2)).await.unwrap_err();
    assert!(matches!(again, StoreError::Compacted { .. }), "{again}");
    let future = store.compact(Revision(9)).await.unwrap_err();
    assert!(matches!(future, StoreError::Future { .. }), "{future}");
}

/// Compaction changes nothing about the present, and takes no revision; a watch that had not come
/// so far ends, one that had goes on.
pub async fn compaction_spares_the_present(store: &dyn Store) {
    fill(store).await;
    let mut current = store.watch(bytes(""), Revision(4)).await.unwrap();
    let mut late = store.watch(bytes(""), Revision(1)).await.unwrap();
    store.compact(Revision(4)).await.unwrap();
    assert_eq!(
        store.get(b"a").await.unwrap(),
        (Some(kv("a", "4", 4, 4)), Revision(4))
    );
    assert_eq!(at(store, 4).await.unwrap().len(), 2);
    assert_eq!(write(store, vec![put("c", "5")]).await, Revision(5));
    assert_eq!(events(&mut current, 1).await[0].key(), "c");
    // It may have taken changes along before the compaction, but it must not skip any.
    let mut expected = 2;
    loop {
        match late.next().await.expect("a watch ends with an error") {
            Ok(WatchItem::Events(revision, _)) => assert_eq!(revision, Revision(expected)),
            Ok(WatchItem::Progress(_)) => continue,
            Err(StoreError::Compacted { .. }) => break,
            Err(error) => panic!("{error}"),
        }
        expected += 1;
        if expected > 5 {
            break;
        }
    }
}
