//! What all keys have in common: revisions go up in the order in which operations were seen to
//! follow one another, and no two writes share one.

use std::collections::BTreeMap;

use super::{Answer, Call, Operation, Violation};
use crate::Revision;

/// Walks through calls and returns in the order of time.
pub(super) fn check(operations: &[Operation]) -> Result<(), Violation> {
    let mut moments = BTreeMap::new();
    let mut writes: BTreeMap<Revision, &Operation> = BTreeMap::new();
    for operation in operations.iter().filter(|o| o.answer != Answer::Unknown) {
        moments.insert(operation.called, (operation, true));
        moments.insert(operation.returned, (operation, false));
        if let Some(revision) = made(operation)
            && let Some(other) = writes.insert(revision, operation)
        {
            return Err(Violation::SameRevision(
                other.clone().into(),
                operation.clone().into(),
            ));
        }
    }
    let mut reached = Revision::ZERO; // answered so far
    let mut called = BTreeMap::new(); // what had been reached when an operation was called
    for (moment, (operation, is_call)) in moments {
        if is_call {
            called.insert(moment, reached);
            continue;
        }
        let before = called[&operation.called];
        let fits = match (made(operation), told(operation)) {
            (Some(made), _) => made > before,
            (None, Some(told)) => told >= before,
            (None, None) => true,
        };
        if !fits {
            return Err(Violation::ClockWentBack {
                reached: before,
                operation: operation.clone().into(),
            });
        }
        reached = reached.max(made(operation).or(told(operation)).unwrap_or(reached));
    }
    Ok(())
}

/// The revision that an operation made for itself.
fn made(operation: &Operation) -> Option<Revision> {
    match (&operation.call, &operation.answer) {
        (Call::Write { value: Some(_), .. }, Answer::Committed(revision)) => Some(*revision),
        _ => None,
    }
}

/// The revision that the store was said to have reached. Deleting may have changed nothing.
fn told(operation: &Operation) -> Option<Revision> {
    match &operation.answer {
        Answer::Found(_, revision) | Answer::Committed(revision) => Some(*revision),
        Answer::Conflict(_) | Answer::Unknown => None,
    }
}
