//! The trait that every engine implements: keys, bytes and one revision clock.
//!
//! It knows no Kubernetes type and holds no cache: the watch cache ([`crate::cache`]) stands above it.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::{Revision, StoreError};

/// One live key with its value and its place in history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The key, such as `/registry/pods/default/web`.
    pub key: Bytes,
    /// The value, opaque.
    pub value: Bytes,
    /// When the key was last created (after being absent).
    pub created: Revision,
    /// When the value was last written.
    pub modified: Revision,
}

/// What must hold for a transaction to commit. All compares of a transaction must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compare {
    /// The key does not exist.
    Absent(Bytes),
    /// The key exists and was last written at this revision.
    Modified(Bytes, Revision),
}

impl Compare {
    /// The key that is compared.
    pub fn key(&self) -> &Bytes {
        match self {
            Compare::Absent(key) | Compare::Modified(key, _) => key,
        }
    }
}

/// One write of a transaction. A key may be written at most once per transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Creates or replaces.
    Put {
        /// The key.
        key: Bytes,
        /// Its new value.
        value: Bytes,
    },
    /// Creates or replaces a key that goes by itself unless it is written again.
    PutFor {
        /// The key.
        key: Bytes,
        /// Its new value.
        value: Bytes,
        /// How long it stays, counted from the commit.
        ttl: Duration,
    },
    /// Removes; removing an absent key is allowed and makes no event.
    Delete {
        /// The key.
        key: Bytes,
    },
}

impl Op {
    /// The key that is written.
    pub fn key(&self) -> &Bytes {
        match self {
            Op::Put { key, .. } | Op::PutFor { key, .. } | Op::Delete { key } => key,
        }
    }
}

/// Compares and writes that happen together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Txn {
    /// All must hold.
    pub compares: Vec<Compare>,
    /// Done in order, all at one revision.
    pub ops: Vec<Op>,
}

/// How a transaction ended. Losing a compare is an ordinary outcome, not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TxnOutcome {
    /// Every compare held; the writes are durable at this revision.
    Committed(Revision),
    /// Some compare failed; nothing was written. Carries the current state of each compared key,
    /// in the order of the compares.
    Conflict(Vec<Option<KeyValue>>),
}

/// A range read.
#[derive(Clone, Debug, Default)]
pub struct Range {
    /// Only keys that start with this.
    pub prefix: Bytes,
    /// Only keys strictly greater than this, to continue a page.
    pub after: Option<Bytes>,
    /// At most so many keys; `None` is all.
    pub limit: Option<usize>,
    /// The state as of this revision; `None` is the newest.
    pub at: Option<Revision>,
}

/// The answer to a [`Range`], in key order.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The keys found.
    pub items: Vec<KeyValue>,
    /// The revision whose state this is.
    pub revision: Revision,
    /// How many further keys match behind the last one returned.
    pub remaining: usize,
}

/// One change that a watch reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A key was created or replaced.
    Put {
        /// The new state.
        current: KeyValue,
        /// The state before, if the key existed.
        previous: Option<KeyValue>,
    },
    /// A key was removed.
    Delete {
        /// When.
        revision: Revision,
        /// The state before.
        previous: KeyValue,
    },
}

impl Event {
    /// The key that changed.
    pub fn key(&self) -> &Bytes {
        match self {
            Event::Put { current, .. } => &current.key,
            Event::Delete { previous, .. } => &previous.key,
        }
    }

    /// When it changed.
    pub fn revision(&self) -> Revision {
        match self {
            Event::Put { current, .. } => current.modified,
            Event::Delete { revision, .. } => *revision,
        }
    }
}

/// What a watch delivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchItem {
    /// All changes of one transaction under the prefix, in the order of its operations.
    Events(Revision, Vec<Event>),
    /// Nothing up to and including this revision is outstanding for this watch.
    Progress(Revision),
}

/// A watch: ends with an error when the engine closes or drops a watcher that is too slow.
pub type WatchStream = BoxStream<'static, Result<WatchItem, StoreError>>;

/// Versioned keys and bytes with one revision clock.
///
/// * **Ownership**: an engine owns what it needs and is shared as an `Arc`. Keys and values are passed
///   as shared bytes and never changed.
/// * **Durability**: when `commit` answers `Committed`, the writes survive a crash of the process
///   and, for durable engines, of the machine; no earlier reader or watcher has seen them undurable.
/// * **Ordering**: revisions are total and only grow; a watch sees every transaction once, in order.
///   They are dense, without gaps, as long as nobody else writes to what the engine keeps its data in.
/// * **Freshness**: a `get` or `range` that starts after a `commit` returned sees it, whoever made it.
/// * **Time to live**: a key put by [`Op::PutFor`] is there until its time is over, and not for long
///   after that: at most a twentieth of it, or a minute if that is less, and about a second besides.
///   It then goes by a transaction like any other: it takes a revision and watches see it. Whatever
///   writes the key again ends the old time. The time goes on while nobody serves the data, by the
///   wall clock; what is due by then goes soon after the start.
/// * **Retry**: an engine repeats by itself what is known not to have happened. An error other than
///   [`StoreError::Unconfirmed`] means that nothing was written.
/// * **Cancellation**: dropping the future of a `commit` leaves it either done or not done; nothing
///   half-written is ever visible. Dropping any other future, or a watch, has no effect on data.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// The newest state of one key, and the store's current revision.
    async fn get(&self, key: &[u8]) -> Result<(Option<KeyValue>, Revision), StoreError>;

    /// The keys of a range, in order. [`StoreError::Compacted`] and [`StoreError::Future`] if `at`
    /// can't be served.
    async fn range(&self, range: Range) -> Result<Page, StoreError>;

    /// Writes if all compares hold. A transaction that changes nothing (no operations, or only
    /// deletes of absent keys) takes no revision and answers the current one.
    /// [`StoreError::DuplicateKey`] if it writes a key twice, [`StoreError::Unconfirmed`] if it may
    /// have been done or not.
    async fn commit(&self, txn: Txn) -> Result<TxnOutcome, StoreError>;

    /// Every transaction after `from` that touches `prefix`: first those retained, then live ones.
    /// [`StoreError::Compacted`] if `from` is older than what is retained. How often a quiet watch
    /// tells its progress is up to the engine: see [`Store::request_progress`].
    async fn watch(&self, prefix: Bytes, from: Revision) -> Result<WatchStream, StoreError>;

    /// Forgets history up to and including `at`; live keys keep their newest value. `at` itself can
    /// still be read, and watched from. [`StoreError::Compacted`] if that has happened already.
    async fn compact(&self, at: Revision) -> Result<(), StoreError>;

    /// The newest revision and the last compacted one.
    async fn revisions(&self) -> Result<(Revision, Revision), StoreError>;

    /// Bytes on disk, or in memory for engines without a disk.
    async fn size(&self) -> Result<u64, StoreError>;

    /// Whether it can be read and, as far as it knows without trying, written; if not, why.
    async fn health(&self) -> Result<(), StoreError> {
        self.revisions().await.map(drop)
    }

    /// The newest revision, whoever wrote it: no less than that of any commit that has returned.
    async fn current(&self) -> Result<Revision, StoreError> {
        Ok(self.revisions().await?.0)
    }

    /// Whether others may write to the same data through engines of their own, in other processes. If
    /// not, who has seen the commits of this engine has seen everything.
    fn is_shared(&self) -> bool {
        false
    }

    /// Asks this engine's watches to tell, soon, that they have come as far as everything committed
    /// before. `false` if they can't tell: then quiet watches stay silent.
    async fn request_progress(&self) -> Result<bool, StoreError> {
        Ok(true) // by themselves, with every commit
    }
}
