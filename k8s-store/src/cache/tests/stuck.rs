//! What a watcher costs that has stopped reading.

use super::*;

/// Counts the entries that are alive anywhere, by the references to this.
struct Counting(Arc<()>);

impl Codec for Counting {
    type Entry = Arc<()>;

    fn entry(&self, _: &KeyValue) -> Result<Arc<()>, CodecError> {
        Ok(Arc::clone(&self.0))
    }
}

const HISTORY: usize = 100;
const INBOX: usize = 8;

#[tokio::test]
async fn a_stuck_watcher_costs_neither_writers_nor_watchers_nor_memory() {
    let alive = Arc::new(());
    let options = CacheOptions {
        retention: Retention {
            changes: HISTORY,
            ..Retention::default()
        },
        inbox: INBOX,
        ..CacheOptions::default()
    };
    let (codec, prefix) = (Counting(Arc::clone(&alive)), Bytes::from("/r/"));
    let (store, cancel) = (Arc::new(MemoryStore::new()), CancellationToken::new());
    let cache = WatchCache::start(store, codec, prefix, options, cancel)
        .await
        .unwrap();
    let watch = |from| cache.watch(WatchRequest::new("/r/", from)).unwrap();

    let never_read = watch(Revision::ZERO);
    let mut stopped_when_up_to_date = watch(Revision::ZERO);
    assert!(stopped_when_up_to_date.next().now_or_never().is_none());
    for _ in 0..HISTORY {
        cache.commit(put("/r/a", "red")).await.unwrap();
    }
    let mut stopped_while_catching_up = watch(Revision(1));
    stopped_while_catching_up.next().await.unwrap().unwrap();
    let mut good = watch(Revision(HISTORY as u64));

    let mut most = 0;
    for number in 0..10_000 {
        let outcome = cache.commit(put("/r/a", "red")).await.unwrap();
        let TxnOutcome::Committed(at) = outcome else {
            panic!()
        };
        // Whoever reads has each event at once.
        let seen = good
            .next()
            .now_or_never()
            .expect("it is there")
            .unwrap()
            .unwrap();
        assert_eq!(seen.revision(), at);
        if number > HISTORY {
            most = most.max(Arc::strong_count(&alive));
        }
    }
    // What history holds, and twice what a watcher may: its inbox, or what it was about to hand out.
    assert!(
        most < HISTORY * 17 / 16 + 2 * (HISTORY + INBOX),
        "{most} entries"
    );

    for mut stuck in [
        never_read,
        stopped_when_up_to_date,
        stopped_while_catching_up,
    ] {
        let end = loop {
            if let Err(error) = stuck.next().await.expect("it ends with an error") {
                break error;
            }
        };
        assert!(matches!(end, StoreError::Compacted { .. }), "{end}");
    }
}
