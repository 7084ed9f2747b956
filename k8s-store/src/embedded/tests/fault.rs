use std::{collections::BTreeMap, io};

use super::*;
use crate::testing::{Dice, Fault, FileOperation, SimulatedDisk};

async fn open(disk: &SimulatedDisk, dir: &Path, options: EmbeddedOptions) -> EmbeddedStore {
    EmbeddedStore::open_on(Arc::new(disk.clone()), dir, options)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_full_disk_refuses_writes_serves_reads_and_recovers() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SimulatedDisk::default();
    let store = open(&disk, dir.path(), EmbeddedOptions::default()).await;
    write(&store, "a", "1").await;
    for room in 0..36 {
        // The record takes 36 bytes.
        disk.limit_room(Some(room));
        let error = store.commit(put("a", "2")).await.unwrap_err();
        assert!(matches!(error, StoreError::Full { .. }), "{error}");
        assert_eq!(state(&store).await.1, Revision(1));
    }
    disk.limit_room(None);
    assert_eq!(write(&store, "a", "3").await, Revision(2));
    drop(store);
    let store = open(&disk, dir.path(), EmbeddedOptions::default()).await;
    assert_eq!(store.get(b"a").await.unwrap().0.unwrap().value, "3");
}

#[tokio::test]
async fn after_a_failed_fsync_nothing_is_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SimulatedDisk::default();
    let store = open(&disk, dir.path(), EmbeddedOptions::default()).await;
    write(&store, "a", "1").await;
    // Only once: what follows would be believed, and be wrong.
    let (kind, written) = (io::ErrorKind::Other, 0);
    let mut faults = Some(Fault { kind, written }).into_iter();
    disk.fail(move |operation| match operation {
        FileOperation::Sync => faults.next(),
        _ => None,
    });
    let error = store.commit(put("a", "2")).await.unwrap_err();
    let StoreError::Unconfirmed { detail } = error else {
        panic!("{error}");
    };
    assert!(detail.starts_with("cannot fsync"), "{detail}");
    for _ in 0..3 {
        assert!(matches!(
            store.commit(put("b", "1")).await,
            Err(StoreError::Closed)
        ));
    }
    assert!(matches!(store.health().await, Err(StoreError::Closed)));
    // What was durable can still be read.
    assert_eq!(store.get(b"a").await.unwrap().0.unwrap().value, "1");
}

#[tokio::test]
async fn a_full_disk_does_not_stop_the_log_from_being_rewritten_later() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SimulatedDisk::default();
    let options = EmbeddedOptions {
        retention: BRIEF,
        rewrite_bytes: 2_000,
        ..SMALL
    };
    let store = open(&disk, dir.path(), options).await;
    let value = "x".repeat(100);
    let mut refused = 0;
    for number in 0..2_000 {
        // Every now and then there is room for a write, but not for a segment or a snapshot.
        disk.limit_room((number % 100 < 50).then_some(number % 7 * 40));
        match store.commit(put(&format!("k{}", number % 4), &value)).await {
            Ok(_) => (),
            Err(StoreError::Full { .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    disk.limit_room(None);
    let expected = state(&store).await;
    assert!(
        refused > 100 && store.stats().rewrites > 0,
        "{refused} {:?}",
        store.stats()
    );
    drop(store);
    assert_eq!(
        state(&open(&disk, dir.path(), options).await).await,
        expected
    );
}

/// Writes until the power goes. Returns what was acknowledged, by key.
async fn write_until_dark(store: &EmbeddedStore, round: usize) -> BTreeMap<String, Revision> {
    let mut acknowledged = BTreeMap::new();
    for number in 0..400 {
        let key = format!("k{:02}", number % 13);
        let value = format!("{round}.{number} {}", "x".repeat(number % 90));
        match store.commit(put(&key, &value)).await {
            Ok(TxnOutcome::Committed(revision)) => drop(acknowledged.insert(key, revision)),
            Ok(TxnOutcome::Conflict(_)) => unreachable!("nothing was compared"),
            Err(_) => break,
        }
    }
    acknowledged
}

#[tokio::test]
async fn a_power_cut_at_any_moment_loses_nothing_acknowledged() {
    let options = EmbeddedOptions {
        retention: BRIEF,
        rewrite_bytes: 3_000,
        segment_bytes: 1_500,
    };
    let mut dice = Dice::new(5);
    for moment in 0..300 {
        let dir = tempfile::tempdir().unwrap();
        let mut disk = SimulatedDisk::default();
        let mut last = Revision::ZERO;
        // Twice in a row, so that recovery itself is cut short as well.
        for round in 0..2 {
            disk.cut_after(8 + moment * (round + 1));
            let files = Arc::new(disk.clone());
            let opened = EmbeddedStore::open_on(files, dir.path(), options).await;
            let acknowledged = match opened {
                Ok(store) => write_until_dark(&store, round).await,
                Err(error) => panic!("moment {moment}: {error}"),
            };
            disk = disk.after_power_cut(&mut dice);
            let store = open(&disk, dir.path(), options).await;
            let (items, revision) = state(&store).await;
            for (key, at) in acknowledged {
                let found = items.iter().find(|kv| kv.key == key).map(|kv| kv.modified);
                assert!(
                    found >= Some(at),
                    "moment {moment}: {key} of {at} is {found:?}"
                );
            }
            assert!(revision >= last, "moment {moment}: revisions went back");
            last = write(&store, "after", "the cut").await;
        }
    }
}
