//! What can go wrong in a store, as things that a caller can act on.

use std::{io, path::PathBuf};

use bytes::Bytes;

use crate::Revision;

/// Why a store refused or failed. A lost compare is not an error: see [`crate::TxnOutcome`].
#[non_exhaustive]
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The revision asked for is gone; list again at the current one (`410 Expired`).
    #[error("revision {requested} has been compacted (oldest retained is {compacted})")]
    Compacted {
        /// What was asked for.
        requested: Revision,
        /// The last revision that compaction removed.
        compacted: Revision,
    },
    /// The revision asked for has not been written yet.
    #[error("revision {requested} is in the future (current is {current})")]
    Future {
        /// What was asked for.
        requested: Revision,
        /// The store's newest revision.
        current: Revision,
    },
    /// A transaction writes the same key twice.
    #[error("transaction writes key {} more than once", .key.escape_ascii())]
    DuplicateKey {
        /// The key.
        key: Bytes,
    },
    /// A transaction is larger than any engine wants to write at once.
    #[error("transaction of {size} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// Bytes of its keys and values, about.
        size: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// A stored value is not what the cache's codec understands.
    #[error("cannot decode the value of {}: {detail}", .key.escape_ascii())]
    Undecodable {
        /// The key.
        key: Bytes,
        /// The codec's complaint.
        detail: String,
    },
    /// The disk is full: writes are refused until space returns, reads are served.
    #[error("no space left to write in {path}")]
    Full {
        /// The directory or file that could not grow.
        path: PathBuf,
    },
    /// Stored bytes fail their checksum, or make no sense, in a place that a torn write can't explain.
    #[error("{path} is corrupt at offset {offset}: {detail}")]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// Byte offset of the first bad record.
        offset: u64,
        /// What was found there.
        detail: String,
    },
    /// A backup is restored only where there is nothing to lose.
    #[error("{path} is not empty")]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// Another process holds the data directory.
    #[error("{path} is in use by another process")]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} {path}: {kind}")]
    Io {
        /// What was being done: `open`, `write`, `fsync`.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// The system's reason, in its own words.
        kind: String,
    },
    /// The servers behind the engine can't be reached, or can't agree. Nothing was done: try again.
    #[error("the store's servers are unavailable: {detail}")]
    Unavailable {
        /// What the connection, or the server, says.
        detail: String,
    },
    /// The connection was lost with a transaction under way, or an fsync failed: it was done or not,
    /// and whoever sent it has to look.
    #[error("it is not known whether the transaction was done: {detail}")]
    Unconfirmed {
        /// What the connection, the server or the disk says.
        detail: String,
    },
    /// The servers behind the engine refuse: credentials, permissions, limits of theirs.
    #[error("the store's servers refuse: {detail}")]
    Refused {
        /// What the server says.
        detail: String,
    },
    /// The engine stopped: it was shut down, or an earlier fsync failed and nothing more is acknowledged.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Wraps an I/O error with what was being done to which file.
    pub fn io(action: &'static str, path: impl Into<PathBuf>, error: &io::Error) -> Self {
        let path = path.into();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { path },
            _ => StoreError::Io {
                action,
                path,
                kind: error.to_string(),
            },
        }
    }
}
