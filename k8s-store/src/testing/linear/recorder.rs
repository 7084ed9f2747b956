//! Notes what clients ask of stores and what comes back.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering::SeqCst},
};

use bytes::Bytes;

use super::{Answer, Call, Guard, History, Operation, Version};
use crate::{Compare, KeyValue, Op, Store, StoreError, Txn, TxnOutcome};

/// A notebook that any number of clients share, of one store or of several handles to the same one.
/// An operation whose future is dropped counts as one without an answer.
#[derive(Debug, Default)]
pub struct Recorder {
    clock: AtomicU64,
    operations: Mutex<Vec<Operation>>,
}

impl Recorder {
    /// Reads a key.
    pub async fn get(&self, store: &dyn Store, key: &Bytes) -> Result<Version, StoreError> {
        let number = self.begin(key, Call::Get);
        let (found, revision) = store.get(key).await?;
        let found = version(found);
        self.end(number, Answer::Found(found.clone(), revision));
        Ok(found)
    }

    /// Writes a key, or deletes it if `value` is `None`. What the store says not to have done is
    /// not part of the history; any other error leaves open whether it has.
    pub async fn write(
        &self,
        store: &dyn Store,
        key: &Bytes,
        guard: Option<Guard>,
        value: Option<Bytes>,
    ) -> Result<TxnOutcome, StoreError> {
        let compare = guard.map(|guard| match guard {
            Guard::Absent => Compare::Absent(key.clone()),
            Guard::Modified(at) => Compare::Modified(key.clone(), at),
        });
        let op = match value.clone() {
            Some(value) => Op::Put {
                key: key.clone(),
                value,
            },
            None => Op::Delete { key: key.clone() },
        };
        let txn = Txn {
            compares: compare.into_iter().collect(),
            ops: vec![op],
        };
        let number = self.begin(key, Call::Write { guard, value });
        let outcome = store.commit(txn).await;
        match &outcome {
            Ok(TxnOutcome::Committed(revision)) => self.end(number, Answer::Committed(*revision)),
            Ok(TxnOutcome::Conflict(found)) => {
                let found = found.first().cloned().flatten();
                self.end(number, Answer::Conflict(version(found)));
            }
            Err(StoreError::Full { .. } | StoreError::TooLarge { .. }) => self.strike(number),
            Err(_) => (),
        }
        outcome
    }

    /// All that was asked and answered.
    pub fn history(self) -> History {
        let mut operations = self
            .operations
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        // What was read in vain says nothing.
        operations.retain(|operation| (&operation.call, &operation.answer) != NOTHING);
        History { operations }
    }

    fn begin(&self, key: &Bytes, call: Call) -> usize {
        let mut operations = self.lock();
        operations.push(Operation {
            key: key.clone(),
            call,
            answer: Answer::Unknown,
            called: self.clock.fetch_add(1, SeqCst),
            returned: u64::MAX,
        });
        operations.len() - 1
    }

    fn end(&self, number: usize, answer: Answer) {
        let mut operations = self.lock();
        operations[number].answer = answer;
        operations[number].returned = self.clock.fetch_add(1, SeqCst);
    }

    /// Leaves nothing of an operation: a read without an answer.
    fn strike(&self, number: usize) {
        self.lock()[number].call = Call::Get;
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Operation>> {
        self.operations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A read without an answer.
const NOTHING: (&Call, &Answer) = (&Call::Get, &Answer::Unknown);

fn version(found: Option<KeyValue>) -> Version {
    found.map(|kv| (kv.value, kv.modified))
}
