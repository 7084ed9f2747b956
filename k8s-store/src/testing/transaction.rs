//! What transactions promise.

use super::{bytes, commit, delete, kv, put, write};
use crate::{Compare, Revision, Store, StoreError, Txn, TxnOutcome};

/// A new store is at revision zero; every transaction that changes something takes the next one.
pub async fn revisions_are_dense(store: &dyn Store) {
    assert_eq!(
        store.revisions().await.unwrap(),
        (Revision::ZERO, Revision::ZERO)
    );
    assert_eq!(store.get(b"a").await.unwrap(), (None, Revision::ZERO));
    for expected in 1..=5 {
        let revision = write(store, vec![put("a", "x"), put("b", "y")]).await;
        assert_eq!(revision, Revision(expected));
        assert_eq!(
            store.get(b"c").await.unwrap(),
            (None, revision),
            "reads are fresh"
        );
    }
    assert_eq!(
        write(store, vec![]).await,
        Revision(5),
        "nothing to write takes no revision"
    );
    assert_eq!(store.revisions().await.unwrap().0, Revision(5));
}

/// A transaction commits if all compares hold; else nothing is written and it learns the state.
pub async fn compares_guard(store: &dyn Store) {
    let absent = |key| Compare::Absent(bytes(key));
    let modified = |key, at| Compare::Modified(bytes(key), Revision(at));

    let outcome = commit(store, vec![absent("a")], vec![put("a", "1")]).await;
    assert_eq!(outcome, TxnOutcome::Committed(Revision(1)));
    let outcome = commit(store, vec![absent("a")], vec![put("a", "2")]).await;
    assert_eq!(
        outcome,
        TxnOutcome::Conflict(vec![Some(kv("a", "1", 1, 1))])
    );
    let outcome = commit(store, vec![modified("a", 1)], vec![put("a", "3")]).await;
    assert_eq!(outcome, TxnOutcome::Committed(Revision(2)));

    // Every compare must hold, also on keys that are not written; all are reported, in order.
    let compares = vec![absent("b"), modified("a", 1), modified("c", 7)];
    let outcome = commit(store, compares, vec![put("b", "4")]).await;
    assert_eq!(
        outcome,
        TxnOutcome::Conflict(vec![None, Some(kv("a", "3", 1, 2)), None])
    );
    assert_eq!(store.get(b"b").await.unwrap(), (None, Revision(2)));

    // Deleted and created again is another life.
    write(store, vec![delete("a")]).await;
    let outcome = commit(store, vec![modified("a", 2)], vec![put("a", "5")]).await;
    assert_eq!(outcome, TxnOutcome::Conflict(vec![None]));
    commit(store, vec![absent("a")], vec![put("a", "6")]).await;
    assert_eq!(
        store.get(b"a").await.unwrap(),
        (Some(kv("a", "6", 4, 4)), Revision(4))
    );
}

/// Deleting what isn't there is allowed, and is no change.
pub async fn deletes_are_idempotent(store: &dyn Store) {
    write(store, vec![put("a", "1")]).await;
    assert_eq!(write(store, vec![delete("b")]).await, Revision(1));
    assert_eq!(
        write(store, vec![delete("a"), delete("b")]).await,
        Revision(2)
    );
    assert_eq!(write(store, vec![delete("a")]).await, Revision(2));
    assert_eq!(store.get(b"a").await.unwrap(), (None, Revision(2)));
}

/// All writes of a transaction share its revision and happen together.
pub async fn transactions_are_atomic(store: &dyn Store) {
    write(store, vec![put("a", "1"), put("b", "1")]).await;
    write(store, vec![put("b", "2"), delete("a"), put("c", "2")]).await;
    assert_eq!(store.get(b"a").await.unwrap().0, None);
    assert_eq!(store.get(b"b").await.unwrap().0, Some(kv("b", "2", 1, 2)));
    assert_eq!(store.get(b"c").await.unwrap().0, Some(kv("c", "2", 2, 2)));
}

/// A transaction that writes a key twice is refused, whatever it compares.
pub async fn one_key_is_written_once(store: &dyn Store) {
    let ops = vec![put("a", "1"), put("b", "1"), delete("a")];
    let refused = store
        .commit(Txn {
            ops,
            ..Txn::default()
        })
        .await;
    assert!(matches!(refused, Err(StoreError::DuplicateKey { key }) if key == "a"));
    assert_eq!(store.revisions().await.unwrap().0, Revision::ZERO);
}
