//! Any sequence of operations gives the same answers on the memory and the embedded engine, however
//! often the latter is closed and opened again in between.

use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use k8s_store::{
    Compare, Event, Op, Range, Retention, Revision, Store, StoreError, Txn,
    embedded::{EmbeddedOptions, EmbeddedStore},
    memory::MemoryStore,
};
use proptest::{collection::vec, option, prelude::*};

#[derive(Clone, Debug)]
enum Step {
    /// Compares (key, how far its guess is from the truth) and writes (key, value or delete).
    Commit(Vec<(u8, Option<u64>)>, Vec<(u8, Option<u8>)>),
    /// Prefix, the key to continue after, the limit, and how many revisions ago.
    Range(u8, Option<u8>, Option<usize>, Option<u64>),
    /// Everything since so many revisions ago.
    Watch(u8, u64),
    /// Up to so many revisions ago.
    Compact(u64),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..12u8;
    let compares = vec((key.clone(), option::of(0..2u64)), 0..3);
    let writes = vec((key.clone(), option::weighted(0.7, any::<u8>())), 0..4);
    prop_oneof![
        12 => (compares, writes).prop_map(|(compares, writes)| Step::Commit(compares, writes)),
        4 => (0..4u8, option::of(key), option::of(0..5usize), option::of(0..12u64))
            .prop_map(|(prefix, after, limit, ago)| Step::Range(prefix, after, limit, ago)),
        3 => (0..4u8, 0..12u64).prop_map(|(prefix, ago)| Step::Watch(prefix, ago)),
        1 => (0..10u64).prop_map(Step::Compact),
        1 => Just(Step::Reopen),
    ]
}

/// Keys under three prefixes, and one that is the beginning of another.
fn key(number: u8) -> Bytes {
    match number {
        11 => Bytes::from("/1"),
        _ => Bytes::from(format!("/{}/{number:02}", number % 3)),
    }
}

fn prefix(number: u8) -> Bytes {
    match number {
        3 => Bytes::new(),
        _ => Bytes::from(format!("/{number}/")),
    }
}

/// Keeps history for ever, in memory and in the log, and begins segments often.
const OPTIONS: EmbeddedOptions = EmbeddedOptions {
    retention: Retention::UNLIMITED,
    segment_bytes: 1_000,
    rewrite_bytes: u64::MAX / 2,
};

/// What a step answers, as text to compare.
async fn answer(store: &dyn Store, step: &Step) -> String {
    let current = store.revisions().await.unwrap().0.0;
    let ago = |ago: u64| Revision(current.saturating_sub(ago));
    match step.clone() {
        Step::Commit(compares, writes) => {
            let mut txn = Txn::default();
            for (number, wrong) in compares {
                let key = key(number);
                let (found, _) = store.get(&key).await.unwrap();
                txn.compares.push(match (found, wrong) {
                    (Some(kv), Some(wrong)) => {
                        Compare::Modified(key, Revision(kv.modified.0 + wrong))
                    }
                    _ => Compare::Absent(key),
                });
            }
            txn.ops = writes
                .into_iter()
                .map(|(number, value)| match value {
                    Some(value) => Op::Put {
                        key: key(number),
                        value: vec![value; 20].into(),
                    },
                    None => Op::Delete { key: key(number) },
                })
                .collect();
            format!("{:?}", store.commit(txn).await)
        }
        Step::Range(number, after, limit, at) => {
            let (prefix, after, at) = (prefix(number), after.map(key), at.map(ago));
            format!(
                "{:?}",
                store
                    .range(Range {
                        prefix,
                        after,
                        limit,
                        at
                    })
                    .await
            )
        }
        Step::Watch(number, from) => match store.watch(prefix(number), ago(from)).await {
            Ok(watch) => format!("{:?}", ready(watch).await),
            Err(error) => format!("{error:?}"),
        },
        Step::Compact(at) => format!("{:?}", store.compact(ago(at)).await),
        Step::Reopen => String::new(),
    }
}

/// What a watch has to say without waiting.
async fn ready(mut watch: k8s_store::WatchStream) -> Vec<Event> {
    let mut seen = Vec::new();
    while let Some(item) = watch.next().now_or_never() {
        match item.expect("an open watch").expect("retained") {
            k8s_store::WatchItem::Events(_, events) => seen.extend(events),
            k8s_store::WatchItem::Progress(_) => (),
        }
    }
    seen
}

async fn agree(steps: Vec<Step>) -> Result<(), StoreError> {
    let dir = tempfile::tempdir().unwrap();
    let memory = MemoryStore::with_retention(Retention::UNLIMITED);
    let mut embedded = EmbeddedStore::open_with(dir.path(), OPTIONS).await?;
    for (index, step) in steps.iter().enumerate() {
        if let Step::Reopen = step {
            embedded.close().await;
            embedded = EmbeddedStore::open_with(dir.path(), OPTIONS).await?;
        }
        let expected = answer(&memory, step).await;
        assert_eq!(
            answer(&embedded, step).await,
            expected,
            "step {index}: {step:?}"
        );
        assert_eq!(
            embedded.revisions().await?,
            memory.revisions().await?,
            "after step {index}"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn engines_agree(steps in vec(step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(agree(steps)).unwrap();
    }
}
