//! The engine's handle: opening, reading, handing transactions to the writer.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::Relaxed},
    thread::{self, JoinHandle},
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot},
    task,
};

use super::{
    expiry::Expiry,
    file::{Disk, Files},
    lock::Lock,
    log::{Counters, Place},
    recover::{self, Recovered},
    writer::{Answer, Request, Writer},
};
use crate::{
    KeyValue, Page, Range, Retention, Revision, Store, StoreError, Txn, TxnOutcome, WatchStream,
    version::{ledger::Ledger, retention::Clock},
};

/// How many transactions may wait for the writer before those behind them wait to be queued.
const QUEUE: usize = 4_096;

/// How the engine uses memory and disk.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedOptions {
    /// How much history is kept in memory, to watch from and to read.
    pub retention: Retention,
    /// A segment that has reached this many bytes is followed by a new one.
    pub segment_bytes: u64,
    /// The log is rewritten when it holds more dead bytes than live ones, and more than this; but
    /// not before the history in it has been forgotten, or the disk is full.
    pub rewrite_bytes: u64,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        EmbeddedOptions {
            retention: Retention::default(),
            segment_bytes: 64 << 20,
            rewrite_bytes: 32 << 20,
        }
    }
}

/// What the engine has done since it was opened, and what it occupies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Calls of fsync.
    pub fsyncs: u64,
    /// Transactions answered.
    pub commits: u64,
    /// Groups that those transactions were written in.
    pub batches: u64,
    /// Bytes written to files.
    pub bytes_written: u64,
    /// Files of the log, a snapshot included.
    pub segments: u64,
    /// Bytes in those files.
    pub disk_bytes: u64,
    /// Bytes that files of nothing but live data would take.
    pub live_bytes: u64,
    /// How often the log has been rewritten.
    pub rewrites: u64,
}

/// Keys, bytes and history in a directory. Dropping it finishes what is queued, which takes about
/// an fsync, and releases the directory; its watches end.
pub struct EmbeddedStore {
    ledger: Arc<Ledger>,
    counters: Arc<Counters>,
    dir: PathBuf,
    requests: Option<mpsc::Sender<Request>>,
    writer: Option<JoinHandle<()>>,
}

impl EmbeddedStore {
    /// Opens a directory, or creates it.
    pub async fn open(dir: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(dir, EmbeddedOptions::default()).await
    }

    /// Opens a directory with options.
    pub async fn open_with(
        dir: impl AsRef<Path>,
        options: EmbeddedOptions,
    ) -> Result<Self, StoreError> {
        Self::open_on(Arc::new(Disk), dir, options).await
    }

    /// Opens a directory through other file operations than the system's, for tests. The directory
    /// itself and the lock in it are real all the same.
    pub async fn open_on(
        files: Arc<dyn Files>,
        dir: impl AsRef<Path>,
        options: EmbeddedOptions,
    ) -> Result<Self, StoreError> {
        let dir = dir.as_ref().to_owned();
        let opening = task::spawn_blocking(move || Self::open_blocking(files, dir, options));
        opening
            .await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    fn open_blocking(
        files: Arc<dyn Files>,
        dir: PathBuf,
        options: EmbeddedOptions,
    ) -> Result<Self, StoreError> {
        fs::create_dir_all(&dir).map_err(|error| StoreError::io("create", &dir, &error))?;
        let lock = Lock::acquire(&dir)?;
        let counters = Arc::new(Counters::default());
        let place = Place {
            files,
            dir: dir.clone(),
            counters: Arc::clone(&counters),
        };
        let Recovered {
            timeline,
            log,
            deadlines,
            live_bytes,
        } = recover::open(place, options.retention)?;
        counters.live_bytes.store(live_bytes, Relaxed);
        let ledger = Arc::new(Ledger::new(timeline));
        let writer = Writer {
            ledger: Arc::clone(&ledger),
            log,
            clock: Clock::new(options.retention),
            expiry: Expiry::new(deadlines),
            options,
            live_bytes,
            planned: None,
            rewrite: None,
            postponed: 0,
            is_full: false,
        };
        let (requests, queue) = mpsc::channel(QUEUE);
        let run = move || {
            writer.run(queue);
            drop(lock);
        };
        let writer = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(run);
        let writer = writer.map_err(|error| StoreError::io("start the writer of", &dir, &error))?;
        Ok(EmbeddedStore {
            ledger,
            counters,
            dir,
            requests: Some(requests),
            writer: Some(writer),
        })
    }

    /// Finishes what is queued and releases the directory, without blocking the caller's thread.
    pub async fn close(self) {
        let _ = task::spawn_blocking(move || drop(self)).await;
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What it has done and what it occupies.
    pub fn stats(&self) -> Stats {
        let counters = &*self.counters;
        Stats {
            fsyncs: counters.fsyncs.load(Relaxed),
            commits: counters.commits.load(Relaxed),
            batches: counters.batches.load(Relaxed),
            bytes_written: counters.bytes_written.load(Relaxed),
            segments: counters.segments.load(Relaxed),
            disk_bytes: counters.disk_bytes.load(Relaxed),
            live_bytes: counters.live_bytes.load(Relaxed),
            rewrites: counters.rewrites.load(Relaxed),
        }
    }

    /// Hands a request to the writer and waits for its answer. Neither comes from a closed store.
    pub(super) async fn request<T>(
        &self,
        request: impl FnOnce(Answer<T>) -> Request,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or(StoreError::Closed)?;
        requests
            .send(request(answer))
            .await
            .map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore")
            .field("dir", &self.dir)
            .field("ledger", &self.ledger)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn get(&self, key: &[u8]) -> Result<(Option<KeyValue>, Revision), StoreError> {
        Ok(self.ledger.get(key))
    }

    async fn range(&self, range: Range) -> Result<Page, StoreError> {
        self.ledger.range(&range)
    }

    async fn commit(&self, txn: Txn) -> Result<TxnOutcome, StoreError> {
        self.request(|answer| Request::Commit(txn, answer)).await
    }

    async fn watch(&self, prefix: Bytes, from: Revision) -> Result<WatchStream, StoreError> {
        self.ledger.watch(prefix, from)
    }

    async fn compact(&self, at: Revision) -> Result<(), StoreError> {
        self.request(|answer| Request::Compact(at, answer)).await
    }

    async fn revisions(&self) -> Result<(Revision, Revision), StoreError> {
        Ok(self.ledger.revisions())
    }

    async fn size(&self) -> Result<u64, StoreError> {
        Ok(self.stats().disk_bytes)
    }

    /// A full disk is not ill health: it shows with the writes that it refuses.
    async fn health(&self) -> Result<(), StoreError> {
        match &self.requests {
            Some(requests) if !requests.is_closed() => Ok(()),
            _ => Err(StoreError::Closed),
        }
    }
}
