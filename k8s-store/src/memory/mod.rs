//! The engine without a disk, for tests and simulation.
//!
//! Commits happen inline on the caller's task and nothing runs in the background, so a program on
//! one thread is deterministic on top of it.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    KeyValue, Page, Range, Retention, Revision, Store, StoreError, Txn, TxnOutcome, WatchStream,
    version::{ledger::Ledger, retention::Clock, timeline::Timeline, tree::Tree},
};

/// Keys, bytes and history in memory; gone when dropped. Dropping it ends all its watches.
#[derive(Debug)]
pub struct MemoryStore {
    ledger: Arc<Ledger>,
    /// Held by the one transaction that is being committed.
    writer: Mutex<Clock>,
}

impl MemoryStore {
    /// An empty store that keeps the default history.
    #[must_use]
    pub fn new() -> Self {
        Self::with_retention(Retention::default())
    }

    /// An empty store that keeps as much history as told.
    #[must_use]
    pub fn with_retention(retention: Retention) -> Self {
        let timeline = Timeline::new(Tree::default(), Revision::ZERO);
        MemoryStore {
            ledger: Arc::new(Ledger::new(timeline)),
            writer: Mutex::new(Clock::new(retention)),
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for MemoryStore {
    fn drop(&mut self) {
        self.ledger.close();
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &[u8]) -> Result<(Option<KeyValue>, Revision), StoreError> {
        Ok(self.ledger.get(key))
    }

    async fn range(&self, range: Range) -> Result<Page, StoreError> {
        self.ledger.range(&range)
    }

    async fn commit(&self, txn: Txn) -> Result<TxnOutcome, StoreError> {
        let mut clock = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut draft = self.ledger.draft();
        let outcome = draft.stage(txn)?;
        if !draft.changes.is_empty() {
            self.ledger.publish(draft, &mut clock);
        }
        Ok(outcome)
    }

    async fn watch(&self, prefix: Bytes, from: Revision) -> Result<WatchStream, StoreError> {
        self.ledger.watch(prefix, from)
    }

    async fn compact(&self, at: Revision) -> Result<(), StoreError> {
        self.ledger.compact(at)
    }

    async fn revisions(&self) -> Result<(Revision, Revision), StoreError> {
        Ok(self.ledger.revisions())
    }

    async fn size(&self) -> Result<u64, StoreError> {
        let (tree, _) = self.ledger.snapshot();
        Ok(tree
            .iter()
            .map(|kv| (kv.key.len() + kv.value.len()) as u64)
            .sum())
    }
}
