//! Transactions in etcd's words: compares on the modification revision, operations, and, for when a
//! compare fails, reads of what was compared.

use bytes::Bytes;
use etcd_client::{
    CompareOp, PutOptions, Txn as Request, TxnOp, TxnResponse, proto::PbTxnOpResponse,
};

use super::range::{key_value, revision};
use crate::{Compare, Op, TxnOutcome};

/// The lease of every [`Op::PutFor`], in the order of the operations.
pub(super) type LeaseIds = Vec<i64>;

/// A transaction as etcd takes it.
pub(super) fn request(compares: &[Compare], ops: &[Op], leases: &LeaseIds) -> Request {
    let reads: Vec<_> = compares
        .iter()
        .map(|compare| TxnOp::get(bytes(compare.key()), None))
        .collect();
    let mut leases = leases.iter().copied();
    let op = |op: &Op| match op {
        Op::Put { key, value } => TxnOp::put(bytes(key), bytes(value), None),
        Op::PutFor { key, value, .. } => {
            let lease = leases.next().expect("every put with a time has a lease");
            let options = PutOptions::new().with_lease(lease);
            TxnOp::put(bytes(key), bytes(value), Some(options))
        }
        Op::Delete { key } => TxnOp::delete(bytes(key), None),
    };
    Request::new()
        .when(compares.iter().map(condition).collect::<Vec<_>>())
        .and_then(ops.iter().map(op).collect::<Vec<_>>())
        .or_else(reads)
}

fn condition(compare: &Compare) -> etcd_client::Compare {
    let modified = |key, at| etcd_client::Compare::mod_revision(bytes(key), CompareOp::Equal, at);
    match compare {
        Compare::Absent(key) => modified(key, 0),
        // To etcd, what is absent was modified at 0, and nothing that is there ever was.
        Compare::Modified(key, at) => match i64::try_from(at.0) {
            Ok(at @ 1..) => modified(key, at),
            _ => etcd_client::Compare::version(bytes(key), CompareOp::Less, 0),
        },
    }
}

/// What etcd answered.
pub(super) fn outcome(answer: TxnResponse) -> TxnOutcome {
    let answer = answer.0;
    if answer.succeeded {
        let header = answer.header.unwrap_or_default();
        return TxnOutcome::Committed(revision(header.revision));
    }
    let found = answer
        .responses
        .into_iter()
        .map(|read| match read.response {
            Some(PbTxnOpResponse::ResponseRange(range)) => {
                range.kvs.into_iter().next().map(key_value)
            }
            _ => None,
        });
    TxnOutcome::Conflict(found.collect())
}

fn bytes(shared: &Bytes) -> Vec<u8> {
    shared.to_vec()
}
