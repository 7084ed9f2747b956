use std::{
    fs,
    sync::atomic::{AtomicU64, Ordering::SeqCst},
};

use tokio::task::JoinSet;

use super::*;

/// Rewrites all the time, so that files come and go under the backup.
const RESTLESS: EmbeddedOptions = EmbeddedOptions {
    retention: BRIEF,
    rewrite_bytes: 20_000,
    segment_bytes: 8_000,
};

/// Each writer counts two keys up in one transaction, and says how far it has come.
async fn count(store: Arc<EmbeddedStore>, writer: usize, acknowledged: Arc<[AtomicU64; 4]>) {
    for step in 1_u64.. {
        let value = Bytes::from(format!("{step}"));
        let put = |side: &str| Op::Put {
            key: Bytes::from(format!("{side}{writer}")),
            value: value.clone(),
        };
        let ops = vec![put("a"), put("b")];
        let txn = Txn {
            ops,
            ..Txn::default()
        };
        if store.commit(txn).await.is_err() {
            return;
        }
        acknowledged[writer].store(step, SeqCst);
    }
}

/// Restores a backup and says how far each writer had come, if both its keys agree.
async fn restored(file: &Path, taken: Backup) -> Vec<u64> {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(restore(file, dir.path()).await.unwrap(), taken);
    let store = EmbeddedStore::open_with(dir.path(), RESTLESS)
        .await
        .unwrap();
    let (items, revision) = state(&store).await;
    assert_eq!((items.len(), revision), (taken.objects, taken.revision));
    let (a, b) = items.split_at(items.len() / 2);
    let sides = a.iter().zip(b).map(|(a, b)| {
        assert_eq!(
            (&a.value, a.modified),
            (&b.value, b.modified),
            "half a transaction"
        );
        String::from_utf8_lossy(&a.value).parse().unwrap()
    });
    // It goes on from there.
    assert_eq!(write(&store, "new", "value").await, revision.next());
    sides.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_under_load_holds_all_that_was_acknowledged() {
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = EmbeddedStore::open_with(dir.path(), RESTLESS)
        .await
        .unwrap();
    let store = Arc::new(store);
    let acknowledged = Arc::new([const { AtomicU64::new(0) }; 4]);
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        writers.spawn(count(store.clone(), writer, acknowledged.clone()));
    }
    while acknowledged.iter().any(|step| step.load(SeqCst) == 0) {
        tokio::task::yield_now().await;
    }
    for round in 0..20 {
        let before = acknowledged.each_ref().map(|step| step.load(SeqCst));
        let file = elsewhere.path().join(format!("{round}"));
        let taken = match round % 2 {
            0 => store.backup(&file).await.unwrap(),
            _ => backup(dir.path(), &file).await.unwrap(), // as another process would
        };
        assert_eq!(taken.bytes, fs::metadata(&file).unwrap().len());
        let found = restored(&file, taken).await;
        assert!(
            before
                .iter()
                .zip(&found)
                .all(|(before, found)| found >= before)
        );
    }
    assert!(store.stats().rewrites > 0, "{:?}", store.stats());
}

#[tokio::test]
async fn a_backup_is_restored_only_into_nothing_and_only_if_it_is_whole() {
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = elsewhere.path().join("backup");
    let store = EmbeddedStore::open(dir.path()).await.unwrap();
    write(&store, "a", "value").await;
    let taken = store.backup(&file).await.unwrap();
    let refused = restore(&file, dir.path()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Locked { .. }), "{refused}");
    drop(store);
    let refused = restore(&file, dir.path()).await.unwrap_err();
    assert!(matches!(refused, StoreError::NotEmpty { .. }), "{refused}");

    let bytes = fs::read(&file).unwrap();
    let other = elsewhere.path().join("other");
    for len in 0..bytes.len() {
        fs::write(&file, &bytes[..len]).unwrap();
        let refused = restore(&file, &other).await.unwrap_err();
        assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused}");
        assert!(!other.exists());
    }
    fs::write(&file, &bytes).unwrap();
    assert_eq!(restore(&file, &other).await.unwrap(), taken);
}

#[tokio::test]
async fn nothing_is_not_backed_up() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup");
    let refused = backup(dir.path(), &file).await.unwrap_err();
    assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused}");
    assert!(!file.exists());
}
