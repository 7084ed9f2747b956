//! What is promised about keys with a time to live.

use std::time::Duration;

use tokio::time::Instant;

use super::{bytes, commit, delete, events, kv, put, put_for, write};
use crate::{Compare, Event, Revision, Store, TxnOutcome};

/// The shortest time that every engine can tell.
const TTL: Duration = Duration::from_secs(1);

/// Longer than any check runs.
const LONG: Duration = Duration::from_secs(3600);

/// A key goes when its time is over, not before, by a transaction that watches see.
pub async fn keys_go_when_their_time_is_over(store: &dyn Store) {
    let mut watch = store.watch(bytes("a"), Revision::ZERO).await.unwrap();
    write(store, vec![put("b", "stays")]).await;
    let begun = Instant::now();
    let ops = vec![put_for("a", "goes", TTL), put_for("c", "stays", LONG)];
    assert_eq!(write(store, ops).await, Revision(2));
    let mortal = kv("a", "goes", 2, 2);
    assert_eq!(store.get(b"a").await.unwrap().0, Some(mortal.clone()));

    let gone = events(&mut watch, 2).await.pop();
    assert!(begun.elapsed() >= TTL, "gone after {:?}", begun.elapsed());
    let expected = Event::Delete {
        revision: Revision(3),
        previous: mortal,
    };
    assert_eq!(gone, Some(expected));
    assert_eq!(store.get(b"a").await.unwrap(), (None, Revision(3)));
    for key in [b"b", b"c"] {
        assert!(store.get(key).await.unwrap().0.is_some());
    }
}

/// A key that is written again without a time stays; with another time, it stays for that long; one
/// that is deleted and created again is another. A lost compare changes no time.
pub async fn writing_again_ends_the_old_time(store: &dyn Store) {
    let mut watch = store.watch(bytes("goes"), Revision::ZERO).await.unwrap();
    for key in ["kept", "renewed", "reborn", "goes"] {
        write(store, vec![put_for(key, "1", TTL)]).await;
    }
    write(store, vec![put("kept", "2"), put_for("renewed", "2", LONG)]).await;
    write(store, vec![delete("reborn")]).await;
    write(store, vec![put("reborn", "2")]).await;
    let absent = vec![Compare::Absent(bytes("goes"))];
    let lost = commit(store, absent, vec![put("goes", "2")]).await;
    assert!(matches!(lost, TxnOutcome::Conflict(_)), "{lost:?}");

    events(&mut watch, 2).await;
    tokio::time::sleep(TTL / 4).await; // what went with it would have gone at the same time
    for key in ["kept", "renewed", "reborn"] {
        let (found, _) = store.get(key.as_bytes()).await.unwrap();
        assert_eq!(found.expect(key).value, "2");
    }
}
