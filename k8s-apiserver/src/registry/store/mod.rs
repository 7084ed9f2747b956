//! How objects change: read, decide, commit if nothing came between, else decide again.
//!
//! One file per way of changing; [`prepare`] is what all share. Decisions are made on trees, and the one transaction at
//! the end carries the object's bytes together with all [`Effects`]. A lost race reruns the decision on what is there
//! now; the client only hears of it if it had named the version it wanted to replace.

mod create;
mod delete;
mod evict;
mod prepare;
mod update;

use std::sync::Arc;

use bytes::Bytes;
use k8s_apimachinery::Object;
use k8s_store::{Compare, KeyValue, Op, Revision, Txn, TxnOutcome};

use super::{Answer, Effects, Entry, Notices, Registry, Resource, WriteOptions, entry, key};
use crate::{
    ApiError, User,
    admission::{Operation, Review},
};

pub use delete::Deleted;
pub use update::{Missing, Tracking, Transform, Updated};

/// Which object is written, by whom, and how.
#[derive(Debug, Clone, Copy)]
pub struct Write<'a> {
    /// The kind.
    pub resource: &'a Arc<Resource>,
    /// The version in which the client speaks; managed fields note it.
    pub version: &'a str,
    /// `status`; empty for the object itself.
    pub subresource: &'a str,
    /// Empty for cluster-scoped objects.
    pub namespace: &'a str,
    /// Empty for creates, whose name is in the object.
    pub name: &'a str,
    /// Who writes.
    pub user: &'a User,
    /// How.
    pub options: &'a WriteOptions,
    /// Takes what the client and the audit log are to be told beside the answer.
    pub notices: &'a Notices,
}

/// An object as it was read, to be replaced only if it still is.
struct Snapshot {
    object: Object,
    revision: Revision,
}

/// How an attempt to commit ended.
enum Attempt {
    Committed(Revision),
    /// Somebody was first; this is what the object is now, if it is.
    Lost(Option<Snapshot>),
}

impl Write<'_> {
    fn key(&self) -> Bytes {
        key::object(&self.resource.row, self.namespace, self.name)
    }

    fn not_found(&self) -> ApiError {
        ApiError::not_found(self.resource.name(), self.name)
    }

    fn modified(&self) -> ApiError {
        ApiError::modified(self.resource.name(), self.name)
    }

    fn review<'a>(
        &'a self,
        registry: &'a Registry,
        operation: Operation,
        name: &'a str,
        old: Option<&'a Object>,
    ) -> Review<'a> {
        Review {
            operation,
            resource: self.resource,
            subresource: self.subresource,
            namespace: self.namespace,
            name,
            old,
            user: self.user,
            dry_run: self.options.dry_run,
            notices: self.notices,
            view: registry.view(),
        }
    }
}

impl Registry {
    /// The newest state of an object, ready to be changed.
    async fn snapshot(&self, key: &[u8]) -> Result<Option<Snapshot>, ApiError> {
        let stored = self.cache.get_fresh(key).await?;
        Ok(stored.map(|stored| Snapshot {
            object: stored.entry.object(),
            revision: stored.modified,
        }))
    }

    /// Commits a change of one key with its effects. The object's own compare comes first.
    async fn attempt(
        &self,
        compare: Compare,
        op: Op,
        effects: Effects,
    ) -> Result<Attempt, ApiError> {
        let mut txn = Txn {
            compares: vec![compare],
            ops: vec![op],
        };
        txn.compares.extend(effects.compares);
        txn.ops.extend(effects.ops);
        match self.cache.commit(txn).await? {
            TxnOutcome::Committed(revision) => Ok(Attempt::Committed(revision)),
            TxnOutcome::Conflict(states) => {
                // The next decision must not be made on a cache that is older than what it lost against.
                let newest = states.iter().flatten().map(|kv| kv.modified).max();
                if let Some(newest) = newest {
                    self.cache.wait_for(newest).await?;
                }
                let current = states.into_iter().next().flatten();
                Ok(Attempt::Lost(
                    current.map(|kv| Snapshot::read(&kv)).transpose()?,
                ))
            }
        }
    }
}

impl Snapshot {
    fn read(kv: &KeyValue) -> Result<Self, ApiError> {
        let mut object: Object = serde_json::from_slice(&kv.value).map_err(ApiError::internal)?;
        let revision = kv.modified.to_string();
        object.set(&["metadata", "resourceVersion"], revision.into());
        Ok(Snapshot {
            object,
            revision: kv.modified,
        })
    }
}

/// What a committed write answers with.
fn written(stored: Bytes, revision: Revision, object: &Object) -> Result<Answer, ApiError> {
    let entry = Entry::written(stored, revision, object).map_err(ApiError::internal)?;
    Ok(Answer::Written(Box::new(entry)))
}

/// The operation that stores an object, and its bytes.
fn put(write: &Write<'_>, key: Bytes, object: &Object) -> (Op, Bytes) {
    let stored = entry::encode(object);
    let value = stored.clone();
    let op = match write.resource.strategy.ttl() {
        None => Op::Put { key, value },
        Some(ttl) => Op::PutFor { key, value, ttl },
    };
    (op, stored)
}
