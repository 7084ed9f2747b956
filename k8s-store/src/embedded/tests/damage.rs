use std::fs;

use super::*;

/// Writes `count` keys, leaves the log as a crash at this moment would, and returns its bytes.
async fn crashed(dir: &Path, count: usize) -> (std::path::PathBuf, Vec<u8>) {
    let store = EmbeddedStore::open(dir).await.unwrap();
    for number in 0..count {
        write(&store, &format!("k{number}"), "some value").await;
    }
    let path = dir.join(files(dir, ".log").pop().unwrap());
    let bytes = fs::read(&path).unwrap();
    drop(store);
    fs::write(&path, &bytes).unwrap(); // without the seal
    (path, bytes)
}

#[tokio::test]
async fn reopening_continues_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for round in 0..5 {
        let store = EmbeddedStore::open_with(dir.path(), SMALL).await.unwrap();
        assert_eq!(state(&store).await, (expected, Revision(round * 21)));
        for number in 0..20 {
            write(
                &store,
                &format!("k{number:02}"),
                &format!("{round} {}", "x".repeat(80)),
            )
            .await;
        }
        store.commit(delete("k07")).await.unwrap();
        expected = state(&store).await.0;
        assert_eq!(expected.len(), 19);
    }
    assert!(files(dir.path(), ".log").len() > 3, "segments were begun");
    // History is there as well, back to the beginning.
    let store = EmbeddedStore::open_with(dir.path(), SMALL).await.unwrap();
    let range = Range {
        at: Some(Revision(20)),
        ..Range::default()
    };
    assert!(
        store
            .range(range)
            .await
            .unwrap()
            .items
            .iter()
            .all(|kv| kv.value.starts_with(b"0 "))
    );
}

#[tokio::test]
async fn a_tail_torn_anywhere_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let (path, bytes) = crashed(dir.path(), 4).await;
    let mut survivors = Vec::new();
    for len in 0..bytes.len() {
        fs::write(&path, &bytes[..len]).unwrap();
        let store = EmbeddedStore::open(dir.path()).await.unwrap();
        let (items, revision) = state(&store).await;
        assert_eq!(items.len() as u64, revision.0);
        survivors.push(revision.0);
        // The store goes on from there, for good.
        assert_eq!(write(&store, "new", "value").await, revision.next());
        drop(store);
        let store = EmbeddedStore::open(dir.path()).await.unwrap();
        assert_eq!(state(&store).await.1, revision.next());
    }
    assert!(survivors.is_sorted());
    assert_eq!((survivors[0], *survivors.last().unwrap()), (0, 3));
}

#[tokio::test]
async fn garbage_behind_the_last_write_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let (path, bytes) = crashed(dir.path(), 4).await;
    for garbage in [vec![0; 5_000], vec![0xff; 5_000], bytes[40..120].to_vec()] {
        fs::write(&path, [&bytes[..], &garbage].concat()).unwrap();
        let store = EmbeddedStore::open(dir.path()).await.unwrap();
        assert_eq!(state(&store).await.1, Revision(4));
    }
}

#[tokio::test]
async fn a_flipped_bit_that_a_later_write_vouches_for_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let (path, bytes) = crashed(dir.path(), 4).await;
    let last = bytes.len() - (bytes.len() - 37) / 4; // where the last record begins
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        fs::write(&path, &damaged).unwrap();
        let opened = EmbeddedStore::open(dir.path()).await;
        if at < last {
            let Err(StoreError::Corrupt {
                path: found,
                offset,
                ..
            }) = opened
            else {
                panic!("byte {at}: {opened:?}");
            };
            assert_eq!(found, path);
            assert!(
                offset <= at as u64 && at as u64 - offset < 80,
                "{at} was found at {offset}"
            );
        } else {
            // Nothing came after it: it can't be told from a write that was cut short.
            assert_eq!(state(&opened.unwrap()).await.1, Revision(3));
        }
    }
}

#[tokio::test]
async fn after_a_clean_close_any_damage_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(dir.path()).await.unwrap();
    write(&store, "a", "value").await;
    store.close().await;
    let path = dir.path().join(&files(dir.path(), ".log")[0]);
    let mut bytes = fs::read(&path).unwrap();
    bytes[60] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = EmbeddedStore::open(dir.path()).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("00000000000000000000.log is corrupt at offset 37"),
        "{text}"
    );
}

#[tokio::test]
async fn older_segments_must_be_whole_and_complete() {
    let dir = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open_with(dir.path(), SMALL).await.unwrap();
    for number in 0..60 {
        write(&store, &format!("k{number}"), &"x".repeat(90)).await;
    }
    drop(store);
    let logs = files(dir.path(), ".log");
    assert!(logs.len() >= 3);
    let path = dir.path().join(&logs[1]);
    let bytes = fs::read(&path).unwrap();
    for broken in [&bytes[..bytes.len() - 1], &bytes[..10], &[]] {
        fs::write(&path, broken).unwrap();
        let error = EmbeddedStore::open_with(dir.path(), SMALL)
            .await
            .unwrap_err();
        assert!(matches!(&error, StoreError::Corrupt { path: found, .. } if *found == path));
    }
    fs::remove_file(&path).unwrap();
    let error = EmbeddedStore::open_with(dir.path(), SMALL)
        .await
        .unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { path, .. } if path.ends_with(&logs[2])));
}

#[tokio::test]
async fn a_directory_has_one_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(dir.path()).await.unwrap();
    let second = EmbeddedStore::open(dir.path()).await.unwrap_err();
    assert!(matches!(second, StoreError::Locked { .. }));
    drop(store);
    EmbeddedStore::open(dir.path()).await.unwrap();
}

#[tokio::test]
async fn what_is_no_directory_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "").unwrap();
    let error = EmbeddedStore::open(&path).await.unwrap_err();
    assert!(
        error.to_string().contains(path.to_str().unwrap()),
        "{error}"
    );
}
