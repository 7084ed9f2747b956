//! The engine without a disk, for tests and simulation.
//!
//! Commits happen inline on the caller's task and nothing runs in the background, so a program on
//! one thread is deterministic on top of it. Keys whose time is over go with the next thing that is
//! done to the store; a watch that has nothing else to say wakes for it.

mod expiry;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use crate::{
    KeyValue, Page, Range, Retention, Revision, Store, StoreError, Txn, TxnOutcome, WatchStream,
    version::{
        deadline::{self, Deadlines, Moment},
        ledger::Ledger,
        retention::Clock,
        timeline::Timeline,
        tree::Tree,
    },
};

/// Keys, bytes and history in memory; gone when dropped. Dropping it ends all its watches.
#[derive(Debug)]
pub struct MemoryStore {
    state: Arc<State>,
}

/// What the handle and the watches share.
#[derive(Debug)]
struct State {
    ledger: Arc<Ledger>,
    /// Held by the one transaction that is being committed.
    writer: Mutex<Writer>,
}

#[derive(Debug)]
struct Writer {
    clock: Clock,
    deadlines: Deadlines,
    /// Where the engine's own clock begins.
    started: Instant,
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
        let writer = Writer {
            clock: Clock::new(retention),
            deadlines: Deadlines::default(),
            started: Instant::now(),
        };
        let state = State {
            ledger: Arc::new(Ledger::new(timeline)),
            writer: Mutex::new(writer),
        };
        MemoryStore {
            state: Arc::new(state),
        }
    }

    /// The state as of now: without what has gone by itself.
    fn ledger(&self) -> &Arc<Ledger> {
        self.state.sweep();
        &self.state.ledger
    }
}

impl State {
    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn commit(&self, writer: &mut Writer, txn: Txn) -> Result<TxnOutcome, StoreError> {
        let lifetimes = deadline::lifetimes(&txn.ops, writer.now());
        let mut draft = self.ledger.draft();
        let outcome = draft.stage(txn)?;
        if !draft.changes.is_empty() {
            self.ledger.publish(draft, &mut writer.clock);
            writer.deadlines.extend(lifetimes);
        }
        Ok(outcome)
    }

    /// Removes what is due, and says when there will be more.
    fn sweep(&self) -> Option<Instant> {
        let mut writer = self.writer();
        while let Some(txn) = writer.deadlines.due(writer.now()) {
            self.commit(&mut writer, txn)
                .expect("what is due are different keys");
        }
        let next = Duration::from_millis(writer.deadlines.next()?);
        writer.started.checked_add(next)
    }
}

impl Writer {
    fn now(&self) -> Moment {
        Moment::try_from(self.started.elapsed().as_millis()).unwrap_or(Moment::MAX)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for MemoryStore {
    fn drop(&mut self) {
        self.state.ledger.close();
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &[u8]) -> Result<(Option<KeyValue>, Revision), StoreError> {
        Ok(self.ledger().get(key))
    }

    async fn range(&self, range: Range) -> Result<Page, StoreError> {
        self.ledger().range(&range)
    }

    async fn commit(&self, txn: Txn) -> Result<TxnOutcome, StoreError> {
        self.state.sweep();
        self.state.commit(&mut self.state.writer(), txn)
    }

    async fn watch(&self, prefix: Bytes, from: Revision) -> Result<WatchStream, StoreError> {
        let changes = self.ledger().watch(prefix, from)?;
        Ok(expiry::sweeping(&self.state, changes))
    }

    async fn compact(&self, at: Revision) -> Result<(), StoreError> {
        self.ledger().compact(at)
    }

    async fn revisions(&self) -> Result<(Revision, Revision), StoreError> {
        Ok(self.ledger().revisions())
    }

    async fn size(&self) -> Result<u64, StoreError> {
        let (tree, _) = self.ledger().snapshot();
        Ok(tree
            .iter()
            .map(|kv| (kv.key.len() + kv.value.len()) as u64)
            .sum())
    }
}
