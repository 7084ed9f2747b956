//! Which keys go by themselves, and when.
//!
//! Kept beside the tree rather than in it, since only few keys have a deadline. Times are milliseconds
//! on the engine's own clock: a durable engine takes one that goes on while it is closed.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;

use crate::{Op, Txn};

/// How many keys go in one transaction.
const SWEEP: usize = 256;

/// A moment, in milliseconds.
pub(crate) type Moment = u64;

/// The deadlines of all live keys that have one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deadlines {
    of: BTreeMap<Bytes, Moment>,
    order: BTreeSet<(Moment, Bytes)>,
}

/// What a transaction does to deadlines: one entry per key written, `None` where it has none any more.
pub(crate) type Lifetimes = Vec<(Bytes, Option<Moment>)>;

/// The deadlines that a transaction sets when it is committed now.
pub(crate) fn lifetimes(ops: &[Op], now: Moment) -> Lifetimes {
    let deadline = |op: &Op| match op {
        Op::PutFor { ttl, .. } => Some(after(now, *ttl)),
        Op::Put { .. } | Op::Delete { .. } => None,
    };
    let lifetime = |op: &Op| (op.key().clone(), deadline(op));
    ops.iter().map(lifetime).collect()
}

/// The first moment at which a time is over.
fn after(now: Moment, ttl: Duration) -> Moment {
    let millis = ttl.as_nanos().div_ceil(1_000_000);
    now.saturating_add(Moment::try_from(millis).unwrap_or(Moment::MAX))
}

impl Deadlines {
    /// Sets or ends the time of one key.
    pub(crate) fn set(&mut self, key: Bytes, deadline: Option<Moment>) {
        let old = match deadline {
            Some(at) => self.of.insert(key.clone(), at),
            None => self.of.remove(&key),
        };
        if let Some(old) = old {
            self.order.remove(&(old, key.clone()));
        }
        if let Some(at) = deadline {
            self.order.insert((at, key));
        }
    }

    /// Takes over what committed transactions have set.
    pub(crate) fn extend(&mut self, lifetimes: Lifetimes) {
        for (key, deadline) in lifetimes {
            self.set(key, deadline);
        }
    }

    /// When a key goes, if it does.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Moment> {
        self.of.get(key).copied()
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Moment> {
        self.order.first().map(|(at, _)| *at)
    }

    /// The transaction that removes what is due, or the first part of it. It leaves the deadlines as
    /// they are, until it has been committed.
    pub(crate) fn due(&self, now: Moment) -> Option<Txn> {
        let due = self.order.iter().take_while(|(at, _)| *at <= now);
        let delete = |(_, key): &(Moment, Bytes)| Op::Delete { key: key.clone() };
        let ops: Vec<Op> = due.take(SWEEP).map(delete).collect();
        (!ops.is_empty()).then(|| Txn {
            ops,
            ..Txn::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put_for(key: &'static str, ttl: Duration) -> Op {
        let (key, value) = (Bytes::from(key), Bytes::new());
        Op::PutFor { key, value, ttl }
    }

    fn due(deadlines: &Deadlines, now: Moment) -> Vec<Bytes> {
        let ops = deadlines.due(now).map(|txn| txn.ops).unwrap_or_default();
        ops.iter().map(|op| op.key().clone()).collect()
    }

    #[test]
    fn keys_are_due_in_the_order_of_their_deadlines_and_not_before() {
        let mut deadlines = Deadlines::default();
        let second = Duration::from_secs(1);
        deadlines.extend(lifetimes(
            &[put_for("b", second), put_for("a", second * 2)],
            10,
        ));
        assert_eq!(deadlines.next(), Some(1_010));
        assert_eq!(due(&deadlines, 1_009), [""; 0]);
        assert_eq!(due(&deadlines, 1_010), ["b"]);
        assert_eq!(due(&deadlines, 9_000), ["b", "a"]);
    }

    #[test]
    fn whatever_writes_a_key_again_ends_its_old_time() {
        let mut deadlines = Deadlines::default();
        let key = || Bytes::from("a");
        deadlines.extend(lifetimes(&[put_for("a", Duration::from_millis(5))], 0));
        deadlines.extend(lifetimes(&[put_for("a", Duration::from_millis(9))], 0));
        assert_eq!((due(&deadlines, 8), deadlines.get(b"a")), (vec![], Some(9)));
        for op in [
            Op::Delete { key: key() },
            Op::Put {
                key: key(),
                value: Bytes::new(),
            },
        ] {
            let mut deadlines = deadlines.clone();
            deadlines.extend(lifetimes(&[op], 0));
            assert_eq!((due(&deadlines, 99), deadlines.next()), (vec![], None));
        }
    }

    #[test]
    fn times_beyond_reckoning_never_end() {
        assert_eq!(after(7, Duration::MAX), Moment::MAX);
        assert_eq!(after(7, Duration::from_nanos(1)), 8);
    }
}
