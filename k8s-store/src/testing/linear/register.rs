//! The model: what one key does when one operation happens to it.

use std::fmt;

use bytes::Bytes;

use super::{Answer, Call, Guard, Operation, Version};
use crate::Revision;

/// A key's state, as far as answers have told it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Register {
    value: Option<Bytes>,
    /// The revision of the last write, or, if that is not known, of one before it.
    at: Revision,
    exact: bool,
}

impl Register {
    /// The state after an operation that happens now; `None` if its answer doesn't fit.
    ///
    /// A write whose answer is unknown may also never happen, which is for the search to try.
    pub(super) fn after(&self, operation: &Operation) -> Option<Register> {
        match (&operation.call, &operation.answer) {
            (Call::Get, Answer::Found(found, _)) => self.seen(found),
            (Call::Write { guard, value }, answer) => self.written(*guard, value, answer),
            (Call::Get, _) => None,
        }
    }

    fn written(
        &self,
        guard: Option<Guard>,
        value: &Option<Bytes>,
        answer: &Answer,
    ) -> Option<Register> {
        match answer {
            Answer::Conflict(found) if guard.is_some_and(|guard| guard.fails(found)) => {
                self.seen(found)
            }
            Answer::Committed(revision) => {
                let before = self.guarded(guard)?;
                // Deleting what is absent takes no revision and answers the current one.
                if before.value.is_none() && value.is_none() {
                    return (*revision >= before.at).then_some(before);
                }
                (*revision > before.at).then(|| Register {
                    value: value.clone(),
                    at: *revision,
                    exact: true,
                })
            }
            Answer::Unknown => Some(Register {
                value: value.clone(),
                exact: false,
                ..self.guarded(guard)?
            }),
            _ => None,
        }
    }

    /// The state, if a read of it can say so; afterwards its revision is known.
    fn seen(&self, found: &Version) -> Option<Register> {
        match found {
            None => self.value.is_none().then(|| self.clone()),
            Some((value, at)) => {
                (self.value.as_ref() == Some(value)).then_some(())?;
                self.modified(*at)
            }
        }
    }

    /// The state, if a guard can hold.
    fn guarded(&self, guard: Option<Guard>) -> Option<Register> {
        match guard {
            None => Some(self.clone()),
            Some(Guard::Absent) => self.value.is_none().then(|| self.clone()),
            Some(Guard::Modified(at)) => self.value.as_ref().and_then(|_| self.modified(at)),
        }
    }

    fn modified(&self, at: Revision) -> Option<Register> {
        let possible = if self.exact {
            at == self.at
        } else {
            at > self.at
        };
        possible.then(|| Register {
            value: self.value.clone(),
            at,
            exact: true,
        })
    }
}

impl Guard {
    fn fails(self, found: &Version) -> bool {
        match (self, found) {
            (Guard::Absent, found) => found.is_some(),
            (Guard::Modified(_), None) => true,
            (Guard::Modified(wanted), Some((_, at))) => wanted != *at,
        }
    }
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            None => write!(f, "absent")?,
            Some(value) => write!(f, "{:?}", value.escape_ascii().to_string())?,
        }
        let relation = if self.exact { "at" } else { "after" };
        write!(f, " {relation} revision {}", self.at)
    }
}
