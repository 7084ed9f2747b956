//! Versioned state in memory: what the engines and the watch cache have in common.
//!
//! [`tree`] holds the present, [`timeline`] the changes that led to it, [`retention`] says how many
//! of them are kept, [`deadline`] which keys go by themselves, and [`ledger`] is the read side that both engines share.

pub(crate) mod deadline;
pub(crate) mod ledger;
pub(crate) mod retention;
pub(crate) mod timeline;
pub(crate) mod tree;

use std::sync::Arc;

use crate::{Compare, Event, KeyValue, Op, StoreError, Txn, TxnOutcome};
use timeline::{Change, Draft};
use tree::Keyed;

impl Keyed for KeyValue {
    fn key(&self) -> &[u8] {
        &self.key
    }
}

impl Draft<KeyValue> {
    /// Judges a transaction against the draft's state and, if every compare holds, adds its writes
    /// at the next revision. A transaction that changes nothing takes no revision.
    pub(crate) fn stage(&mut self, txn: Txn) -> Result<TxnOutcome, StoreError> {
        reject_duplicates(&txn.ops)?;
        if !txn.compares.iter().all(|compare| self.holds(compare)) {
            let found = |compare: &Compare| self.tree.get(compare.key()).map(|kv| (**kv).clone());
            return Ok(TxnOutcome::Conflict(
                txn.compares.iter().map(found).collect(),
            ));
        }
        let effective = |op: &Op| match op {
            Op::Put { .. } | Op::PutFor { .. } => true,
            Op::Delete { key } => self.tree.get(key).is_some(),
        };
        if txn.ops.iter().any(effective) {
            self.revision = self.revision.next();
            for op in txn.ops {
                self.apply(op);
            }
        }
        Ok(TxnOutcome::Committed(self.revision))
    }

    /// Performs one write at the draft's revision.
    pub(crate) fn apply(&mut self, op: Op) {
        match op {
            Op::Put { key, value } | Op::PutFor { key, value, .. } => {
                let modified = self.revision;
                let created = self.tree.get(&key).map_or(modified, |kv| kv.created);
                self.put(Arc::new(KeyValue {
                    key,
                    value,
                    created,
                    modified,
                }));
            }
            Op::Delete { key } => self.delete(&key),
        }
    }

    fn holds(&self, compare: &Compare) -> bool {
        match compare {
            Compare::Absent(key) => self.tree.get(key).is_none(),
            Compare::Modified(key, at) => self.tree.get(key).is_some_and(|kv| kv.modified == *at),
        }
    }
}

/// Every key is written at most once.
pub(crate) fn reject_duplicates(ops: &[Op]) -> Result<(), StoreError> {
    for (index, op) in ops.iter().enumerate() {
        if ops[..index].iter().any(|earlier| earlier.key() == op.key()) {
            return Err(StoreError::DuplicateKey {
                key: op.key().clone(),
            });
        }
    }
    Ok(())
}

impl From<&Change<KeyValue>> for Event {
    fn from(change: &Change<KeyValue>) -> Self {
        let previous = change.previous.as_deref().cloned();
        match (&change.current, previous) {
            (Some(current), previous) => Event::Put {
                current: (**current).clone(),
                previous,
            },
            (None, Some(previous)) => Event::Delete {
                revision: change.revision,
                previous,
            },
            (None, None) => unreachable!("a change has a side"),
        }
    }
}
