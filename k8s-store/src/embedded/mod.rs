//! The durable engine: one directory, one log, one writer.
//!
//! ```text
//! commit() -> queue -> writer thread: judge, encode, write, fsync -> publish -> answer
//!                          |                                           |
//!                     <base>.log, ...                        snapshot for readers, watchers
//! ```
//!
//! Everything that waits when the writer is free travels with one write and one fsync, so the more
//! writers there are, the cheaper each commit is. All live data is in memory too, which is what
//! reads are served from; the log is only read when the store opens. When dead records outweigh live
//! ones, the live state is written to a snapshot beside the running log and the old log is deleted.
//!
//! History is kept on disk as long as in memory: the log is rewritten only when what it would lose
//! has been forgotten anyway. So after a crash watchers resume where they were.

mod backup;
mod compact;
mod engine;
mod expiry;
mod file;
mod lock;
mod log;
mod record;
mod recover;
mod state;
mod writer;

pub use backup::{Backup, backup, restore};
pub use engine::{EmbeddedOptions, EmbeddedStore, Stats};
pub use file::{Disk, File, Files};

#[cfg(test)]
mod tests;
