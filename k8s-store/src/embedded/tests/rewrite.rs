use std::fs;

use super::*;

const EAGER: EmbeddedOptions = EmbeddedOptions {
    retention: BRIEF,
    rewrite_bytes: 4_000,
    ..SMALL
};

/// Overwrites a few keys until the log has been rewritten, and the old files are gone.
async fn churn(store: &EmbeddedStore) {
    let before = store.stats().rewrites;
    for number in 0.. {
        write(
            store,
            &format!("k{}", number % 10),
            &format!("{number} {}", "x".repeat(90)),
        )
        .await;
        let stats = store.stats();
        if stats.rewrites > before + 2 && stats.disk_bytes < 10_000 {
            return;
        }
        assert!(number < 100_000, "{stats:?}");
        if number % 100 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test]
async fn dead_bytes_are_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open_with(dir.path(), EAGER).await.unwrap();
    write(&store, "kept", "from the beginning").await;
    churn(&store).await;
    let expected = state(&store).await;
    let stats = store.stats();
    drop(store);

    assert_eq!(files(dir.path(), ".snapshot").len(), 1);
    assert!(files(dir.path(), ".tmp").is_empty());
    let sizes = fs::read_dir(dir.path())
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().len());
    assert!(sizes.sum::<u64>() < stats.disk_bytes + 5_000);

    let store = EmbeddedStore::open_with(dir.path(), EAGER).await.unwrap();
    assert_eq!(state(&store).await, expected);
    assert_eq!(store.stats().live_bytes, stats.live_bytes);
    let kept = store.get(b"kept").await.unwrap().0.unwrap();
    assert_eq!((kept.created, kept.modified), (Revision(1), Revision(1)));
}

#[tokio::test]
async fn what_could_be_watched_before_a_restart_can_be_after() {
    let dir = tempfile::tempdir().unwrap();
    let mut rewrites = 0;
    for round in 0..40 {
        let store = EmbeddedStore::open_with(dir.path(), EAGER).await.unwrap();
        for number in 0..(round * 7 % 60) {
            let value = format!("{number} {}", "x".repeat(200));
            write(&store, &format!("k{}", number % 5), &value).await;
        }
        let (current, forgotten) = store.revisions().await.unwrap();
        rewrites += store.stats().rewrites;
        drop(store);
        let store = EmbeddedStore::open_with(dir.path(), EAGER).await.unwrap();
        let (found, still_forgotten) = store.revisions().await.unwrap();
        assert_eq!(found, current);
        assert!(
            still_forgotten <= forgotten.max(Revision(current.0.saturating_sub(16))),
            "{forgotten} {still_forgotten} {current}"
        );
    }
    assert!(rewrites > 3, "{rewrites}");
}

#[tokio::test]
async fn leftovers_of_an_interrupted_rewrite_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open_with(dir.path(), EAGER).await.unwrap();
    churn(&store).await;
    let expected = state(&store).await;
    drop(store);
    // As if the process had died after the rename, and another time before it.
    fs::write(
        dir.path().join("00000000000000000003.log"),
        "an old segment",
    )
    .unwrap();
    fs::write(
        dir.path().join("00000000000000000003.snapshot"),
        "an old snapshot",
    )
    .unwrap();
    fs::write(
        dir.path().join("00000000000099999999.tmp"),
        "half a snapshot",
    )
    .unwrap();
    let store = EmbeddedStore::open_with(dir.path(), EAGER).await.unwrap();
    assert_eq!(state(&store).await, expected);
    drop(store);
    assert_eq!(files(dir.path(), ".snapshot").len(), 1);
    assert!(files(dir.path(), ".tmp").is_empty());
}

#[tokio::test]
async fn a_damaged_snapshot_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open_with(dir.path(), EAGER).await.unwrap();
    churn(&store).await;
    drop(store);
    let path = dir.path().join(&files(dir.path(), ".snapshot")[0]);
    let bytes = fs::read(&path).unwrap();
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 4;
    for broken in [
        &flipped[..],
        &bytes[..bytes.len() - 1],
        &bytes[..bytes.len() - 17],
        &[],
    ] {
        fs::write(&path, broken).unwrap();
        let error = EmbeddedStore::open_with(dir.path(), EAGER)
            .await
            .unwrap_err();
        assert!(matches!(&error, StoreError::Corrupt { path: found, .. } if *found == path));
    }
}

#[tokio::test]
async fn compaction_is_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open_with(dir.path(), SMALL).await.unwrap();
    for number in 0..5 {
        write(&store, "a", &number.to_string()).await;
    }
    store.compact(Revision(3)).await.unwrap();
    drop(store);
    let store = EmbeddedStore::open_with(dir.path(), SMALL).await.unwrap();
    assert_eq!(store.revisions().await.unwrap(), (Revision(5), Revision(3)));
}
