//! The conformance suite: what every engine promises, as functions that panic when it doesn't hold.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use std::sync::Arc;
//! use k8s_store::{memory::MemoryStore, testing};
//!
//! testing::conformance(async || Arc::new(MemoryStore::new()) as _).await;
//! # });
//! ```
//!
//! Each check asks for a fresh, empty store; [`Apart`] makes one of a part of a server. The checks are
//! public one by one for what keeps only a part of the promises: [`ThroughCache`] keeps all but those about compaction and about how the
//! changes of a transaction travel together. [`linear`] judges what many clients saw, [`SimulatedDisk`]
//! lets a durable engine meet every misfortune of a disk.

mod apart;
mod concurrency;
mod dice;
mod disk;
mod expiry;
mod history;
pub mod linear;
mod range;
mod through_cache;
mod transaction;
mod watch;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::StreamExt;

pub use apart::Apart;
pub use concurrency::{counters_lose_no_update, watchers_see_one_order};
pub use dice::Dice;
pub use disk::{Fault, FileOperation, SimulatedDisk};
pub use expiry::{keys_go_when_their_time_is_over, writing_again_ends_the_old_time};
pub use history::{compaction_forgets, compaction_spares_the_present, old_revisions_can_be_read};
pub use range::{pages_continue, ranges_select_and_count};
pub use through_cache::ThroughCache;
pub use transaction::{
    compares_guard, deletes_are_idempotent, one_key_is_written_once, revisions_are_dense,
    transactions_are_atomic,
};
pub use watch::{transactions_arrive_whole, watches_progress, watches_replay, watches_select};

use crate::{
    Compare, Event, KeyValue, Op, Revision, Store, Txn, TxnOutcome, WatchItem, WatchStream,
};

/// Runs every check on stores of its own.
pub async fn conformance(make: impl AsyncFn() -> Arc<dyn Store>) {
    contract(&make).await;
    transactions_arrive_whole(&*make().await).await;
    compaction_forgets(&*make().await).await;
    compaction_spares_the_present(&*make().await).await;
}

/// Runs the checks that hold for the watch cache as well.
pub async fn contract(make: impl AsyncFn() -> Arc<dyn Store>) {
    revisions_are_dense(&*make().await).await;
    compares_guard(&*make().await).await;
    deletes_are_idempotent(&*make().await).await;
    transactions_are_atomic(&*make().await).await;
    one_key_is_written_once(&*make().await).await;
    ranges_select_and_count(&*make().await).await;
    pages_continue(&*make().await).await;
    old_revisions_can_be_read(&*make().await).await;
    watches_replay(&*make().await).await;
    watches_select(&*make().await).await;
    watches_progress(&*make().await).await;
    keys_go_when_their_time_is_over(&*make().await).await;
    writing_again_ends_the_old_time(&*make().await).await;
    counters_lose_no_update(make().await).await;
    watchers_see_one_order(make().await).await;
    linear::histories_are_linearizable(make().await).await;
}

/// How long a check waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn put(key: &str, value: &str) -> Op {
    Op::Put {
        key: bytes(key),
        value: bytes(value),
    }
}

fn put_for(key: &str, value: &str, ttl: Duration) -> Op {
    Op::PutFor {
        key: bytes(key),
        value: bytes(value),
        ttl,
    }
}

fn delete(key: &str) -> Op {
    Op::Delete { key: bytes(key) }
}

fn kv(key: &str, value: &str, created: u64, modified: u64) -> KeyValue {
    KeyValue {
        key: bytes(key),
        value: bytes(value),
        created: Revision(created),
        modified: Revision(modified),
    }
}

async fn commit(store: &dyn Store, compares: Vec<Compare>, ops: Vec<Op>) -> TxnOutcome {
    store
        .commit(Txn { compares, ops })
        .await
        .expect("a commit that the store can do")
}

/// Writes without a condition and answers the revision.
async fn write(store: &dyn Store, ops: Vec<Op>) -> Revision {
    match commit(store, Vec::new(), ops).await {
        TxnOutcome::Committed(revision) => revision,
        TxnOutcome::Conflict(found) => panic!("nothing was compared, yet it lost to {found:?}"),
    }
}

/// The next item, which must come.
async fn item(watch: &mut WatchStream) -> WatchItem {
    let next = tokio::time::timeout(PATIENCE, watch.next()).await;
    next.expect("the watch delivers in time")
        .expect("the watch goes on")
        .expect("no error")
}

/// The next events, flattened, whatever progress is reported in between.
async fn events(watch: &mut WatchStream, count: usize) -> Vec<Event> {
    let collect = async {
        let mut seen = Vec::new();
        while seen.len() < count {
            if let WatchItem::Events(revision, events) = item(watch).await {
                assert!(events.iter().all(|event| event.revision() == revision));
                seen.extend(events);
            }
        }
        seen
    };
    let collected = tokio::time::timeout(PATIENCE, collect).await;
    collected.expect("the watch delivers in time")
}
