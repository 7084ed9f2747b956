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
//! Compaction forgets history in memory; a rewrite forgets it on disk, so after reopening the oldest
//! revision that can be watched from is the later of the last explicit compaction and the last
//! rewrite.

mod compact;
mod engine;
mod expiry;
mod file;
mod lock;
mod log;
mod record;
mod recover;
mod writer;

pub use engine::{EmbeddedOptions, EmbeddedStore, Stats};
pub use file::{Disk, File, Files};

#[cfg(test)]
mod tests;
