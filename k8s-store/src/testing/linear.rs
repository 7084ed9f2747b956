//! Linearizability: could a recorded history have come from a store that does one thing at a time?
//!
//! Each key is a register that is judged by itself, since linearizability is local (Herlihy and
//! Wing, 1990). The search is Wing and Gong's with Lowe's memory of states ("Testing for
//! linearizability", 2017): take any operation that could come next, see whether its answer fits,
//! and go back when nothing fits; never look twice at the same set of operations with the same
//! outcome. Revisions order writes, so a good history is judged in about the time it takes to read
//! it. What is left for all keys together is the one clock, which may never run backwards.
//!
//! A [`Recorder`] makes histories of any [`Store`](crate::Store); [`Workload`] is one to record.

mod clock;
mod recorder;
mod register;
mod search;
mod workload;

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;

pub use recorder::Recorder;
pub use workload::{Workload, histories_are_linearizable};

use crate::Revision;

/// What was asked of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Its newest state.
    Get,
    /// To write it.
    Write {
        /// What must hold before; `None` for no condition.
        guard: Option<Guard>,
        /// The new value; `None` to delete. Values should differ, so that a read tells its write.
        value: Option<Bytes>,
    },
}

/// The condition of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// The key does not exist.
    Absent,
    /// The key was last written at this revision.
    Modified(Revision),
}

/// A value and the revision that wrote it; `None` for a key that does not exist.
pub type Version = Option<(Bytes, Revision)>;

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To a get: what was found, and the store's revision.
    Found(Version, Revision),
    /// To a write: done at this revision.
    Committed(Revision),
    /// To a write: its guard failed because of this.
    Conflict(Version),
    /// To a write: nothing, or an error that leaves open whether it was done, now or later.
    Unknown,
}

/// One operation on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The key.
    pub key: Bytes,
    /// What was asked.
    pub call: Call,
    /// What came back.
    pub answer: Answer,
    /// When it was asked, on a clock that all clients share and that gives no moment twice.
    pub called: u64,
    /// When the answer came; without meaning if the answer is unknown.
    pub returned: u64,
}

impl Operation {
    /// Until when it may have taken effect.
    fn deadline(&self) -> u64 {
        match self.answer {
            Answer::Unknown => u64::MAX,
            _ => self.returned,
        }
    }
}

/// What clients asked of a store that was empty in the beginning, and what it answered.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// In any order.
    pub operations: Vec<Operation>,
}

/// Why no store that does one thing at a time gives this history.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Violation {
    /// The answers about one key fit in no order.
    #[error("no order explains what {} answered: after {explained} operations it was {state}, and none fits of {}", .key.escape_ascii(), list(.stuck))]
    Unexplained {
        /// The key.
        key: Bytes,
        /// How many operations the best order explains.
        explained: usize,
        /// The key's state after those.
        state: String,
        /// The operations of which one had to come next.
        stuck: Vec<Operation>,
    },
    /// A revision came again, or an older one after it.
    #[error(
        "the clock was at {reached} before this was called, which says otherwise: {operation:?}"
    )]
    ClockWentBack {
        /// A revision that had been answered already.
        reached: Revision,
        /// What was called later and answered as if it hadn't.
        operation: Box<Operation>,
    },
    /// Two writes were given the same revision.
    #[error("two writes at the same revision: {0:?} and {1:?}")]
    SameRevision(Box<Operation>, Box<Operation>),
}

impl History {
    /// Whether the history is linearizable.
    pub fn check(&self) -> Result<(), Violation> {
        clock::check(&self.operations)?;
        let mut keys: BTreeMap<&Bytes, Vec<&Operation>> = BTreeMap::new();
        for operation in &self.operations {
            keys.entry(&operation.key).or_default().push(operation);
        }
        for (key, mut operations) in keys {
            operations.sort_by_key(|operation| operation.called);
            search::explain(&operations).map_err(|failed| Violation::Unexplained {
                key: key.clone(),
                explained: failed.explained,
                state: failed.state.to_string(),
                stuck: failed.stuck.into_iter().cloned().collect(),
            })?;
        }
        Ok(())
    }
}

fn list(operations: &[Operation]) -> impl fmt::Display {
    let lines = operations.iter().map(
        |Operation {
             call,
             answer,
             called,
             returned,
             ..
         }| { format!("\n  {called}..{returned} {call:?} -> {answer:?}") },
    );
    lines.collect::<String>()
}

#[cfg(test)]
mod tests;
