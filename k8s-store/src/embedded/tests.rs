//! What happens to the files: damage, full and failing disks, rewriting, power cuts, deadlines.

mod backup;
mod damage;
mod expiry;
mod fault;
mod rewrite;

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;

use super::*;
use crate::{KeyValue, Op, Range, Retention, Revision, Store, StoreError, Txn, TxnOutcome};

/// Small enough for tests to reach the limits.
const SMALL: EmbeddedOptions = EmbeddedOptions {
    retention: Retention::UNLIMITED,
    segment_bytes: 2_000,
    rewrite_bytes: u64::MAX / 2,
};

/// Forgets soon, so that the log is rewritten often.
const BRIEF: Retention = Retention {
    age: Duration::MAX,
    changes: 16,
};

fn put(key: &str, value: &str) -> Txn {
    let (key, value) = (Bytes::from(key.to_owned()), Bytes::from(value.to_owned()));
    Txn {
        ops: vec![Op::Put { key, value }],
        ..Txn::default()
    }
}

fn delete(key: &str) -> Txn {
    Txn {
        ops: vec![Op::Delete {
            key: Bytes::from(key.to_owned()),
        }],
        ..Txn::default()
    }
}

async fn write(store: &EmbeddedStore, key: &str, value: &str) -> Revision {
    match store
        .commit(put(key, value))
        .await
        .expect("a write that fits")
    {
        TxnOutcome::Committed(revision) => revision,
        TxnOutcome::Conflict(_) => unreachable!("nothing was compared"),
    }
}

/// The whole state, and its revision.
async fn state(store: &EmbeddedStore) -> (Vec<KeyValue>, Revision) {
    let page = store
        .range(Range::default())
        .await
        .expect("the present can be read");
    (page.items, page.revision)
}

/// The files of a directory that end so, in order.
fn files(dir: &Path, ending: &str) -> Vec<String> {
    let mut names = Disk.list(dir).expect("readable");
    names.retain(|name| name.ends_with(ending));
    names.sort();
    names
}
