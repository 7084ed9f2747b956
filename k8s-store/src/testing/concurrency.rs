//! What is promised to many at once.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{bytes, commit, events, put};
use crate::{Compare, Op, Revision, Store, TxnOutcome};

const TASKS: usize = 8;
const STEPS: usize = 25;

/// Read, compare and write: no increment of many concurrent ones is lost.
pub async fn counters_lose_no_update(store: Arc<dyn Store>) {
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for _ in 0..STEPS {
                increment(&*store).await;
            }
        });
    }
    tasks.join_all().await;
    let (found, revision) = store.get(b"counter").await.unwrap();
    assert_eq!(
        found.expect("it was written").value,
        (TASKS * STEPS).to_string()
    );
    assert_eq!(revision, Revision((TASKS * STEPS) as u64));
}

async fn increment(store: &dyn Store) {
    let (mut found, _) = store.get(b"counter").await.unwrap();
    loop {
        let (compare, count) = match &found {
            None => (Compare::Absent(bytes("counter")), 0),
            Some(kv) => {
                let text = std::str::from_utf8(&kv.value).expect("a number");
                let compare = Compare::Modified(kv.key.clone(), kv.modified);
                (compare, text.parse::<u64>().expect("a number"))
            }
        };
        let ops: Vec<Op> = vec![put("counter", &(count + 1).to_string())];
        match commit(store, vec![compare], ops).await {
            TxnOutcome::Committed(_) => return,
            TxnOutcome::Conflict(mut current) => found = current.pop().expect("one compare"),
        }
    }
}

/// Every watcher sees every transaction once, in revision order, wherever it began.
pub async fn watchers_see_one_order(store: Arc<dyn Store>) {
    let total = TASKS * STEPS;
    let mut watchers = JoinSet::new();
    for _ in 0..3 {
        let mut watch = store.watch(bytes("w/"), Revision::ZERO).await.unwrap();
        watchers.spawn(async move { events(&mut watch, total).await });
    }
    let mut writers = JoinSet::new();
    for task in 0..TASKS {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for step in 0..STEPS {
                commit(
                    &*store,
                    vec![],
                    vec![put(&format!("w/{task}"), &step.to_string())],
                )
                .await;
            }
        });
    }
    writers.join_all().await;
    let mut late = store.watch(bytes("w/"), Revision::ZERO).await.unwrap();
    watchers.spawn(async move { events(&mut late, total).await });
    for seen in watchers.join_all().await {
        let revisions: Vec<_> = seen.iter().map(|event| event.revision().0).collect();
        assert_eq!(revisions, (1..=total as u64).collect::<Vec<_>>());
    }
}
