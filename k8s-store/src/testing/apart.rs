//! A part of a store as if it were a new one, so that many checks can share a server.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;

use crate::{
    Compare, Event, KeyValue, Op, Page, Range, Revision, Store, StoreError, Txn, TxnOutcome,
    WatchItem, WatchStream,
};

/// What a store holds under a prefix, with revisions counted from now. As long as nobody else writes to
/// the store, this is a new store like any other.
#[derive(Clone, Debug)]
pub struct Apart {
    store: Arc<dyn Store>,
    prefix: Bytes,
    base: Revision,
}

impl Apart {
    /// Begins at the present. Nothing may be under the prefix.
    pub async fn new(store: Arc<dyn Store>, prefix: impl Into<Bytes>) -> Result<Self, StoreError> {
        let base = store.current().await?;
        Ok(Apart::since(store, prefix, base))
    }

    /// Counts revisions from a given one; since [`Revision::ZERO`] they are the store's own.
    pub fn since(store: Arc<dyn Store>, prefix: impl Into<Bytes>, base: Revision) -> Self {
        Apart {
            store,
            prefix: prefix.into(),
            base,
        }
    }

    fn outer_key(&self, key: &[u8]) -> Bytes {
        [&self.prefix, key].concat().into()
    }

    fn inner_key(&self, key: &Bytes) -> Bytes {
        key.slice(self.prefix.len()..)
    }

    fn outer(&self, revision: Revision) -> Revision {
        Revision(self.base.0 + revision.0)
    }

    fn inner(&self, revision: Revision) -> Revision {
        Revision(revision.0.saturating_sub(self.base.0))
    }

    fn inner_kv(&self, kv: &KeyValue) -> KeyValue {
        KeyValue {
            key: self.inner_key(&kv.key),
            value: kv.value.clone(),
            created: self.inner(kv.created),
            modified: self.inner(kv.modified),
        }
    }

    fn inner_event(&self, event: &Event) -> Event {
        match event {
            Event::Put { current, previous } => Event::Put {
                current: self.inner_kv(current),
                previous: previous.as_ref().map(|kv| self.inner_kv(kv)),
            },
            Event::Delete { revision, previous } => Event::Delete {
                revision: self.inner(*revision),
                previous: self.inner_kv(previous),
            },
        }
    }

    fn inner_error(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Compacted {
                requested,
                compacted,
            } => StoreError::Compacted {
                requested: self.inner(requested),
                compacted: self.inner(compacted),
            },
            StoreError::Future { requested, current } => StoreError::Future {
                requested: self.inner(requested),
                current: self.inner(current),
            },
            StoreError::DuplicateKey { key } => StoreError::DuplicateKey {
                key: self.inner_key(&key),
            },
            other => other,
        }
    }

    fn outer_op(&self, op: Op) -> Op {
        let key = self.outer_key(op.key());
        match op {
            Op::Put { value, .. } => Op::Put { key, value },
            Op::PutFor { value, ttl, .. } => Op::PutFor { key, value, ttl },
            Op::Delete { .. } => Op::Delete { key },
        }
    }

    fn outer_compare(&self, compare: &Compare) -> Compare {
        let key = self.outer_key(compare.key());
        match compare {
            Compare::Absent(_) => Compare::Absent(key),
            Compare::Modified(_, at) => Compare::Modified(key, self.outer(*at)),
        }
    }
}

#[async_trait]
impl Store for Apart {
    async fn get(&self, key: &[u8]) -> Result<(Option<KeyValue>, Revision), StoreError> {
        let (found, revision) = self.store.get(&self.outer_key(key)).await?;
        let found = found.map(|kv| self.inner_kv(&kv));
        Ok((found, self.inner(revision)))
    }

    async fn range(&self, range: Range) -> Result<Page, StoreError> {
        let range = Range {
            prefix: self.outer_key(&range.prefix),
            after: range.after.map(|after| self.outer_key(&after)),
            limit: range.limit,
            at: range.at.map(|at| self.outer(at)),
        };
        let page = self.store.range(range).await;
        let page = page.map_err(|error| self.inner_error(error))?;
        Ok(Page {
            items: page.items.iter().map(|kv| self.inner_kv(kv)).collect(),
            revision: self.inner(page.revision),
            remaining: page.remaining,
        })
    }

    async fn commit(&self, txn: Txn) -> Result<TxnOutcome, StoreError> {
        let compares = txn
            .compares
            .iter()
            .map(|compare| self.outer_compare(compare));
        let txn = Txn {
            compares: compares.collect(),
            ops: txn.ops.into_iter().map(|op| self.outer_op(op)).collect(),
        };
        match self.store.commit(txn).await {
            Ok(TxnOutcome::Committed(revision)) => Ok(TxnOutcome::Committed(self.inner(revision))),
            Ok(TxnOutcome::Conflict(found)) => {
                let found = found
                    .iter()
                    .map(|kv| kv.as_ref().map(|kv| self.inner_kv(kv)));
                Ok(TxnOutcome::Conflict(found.collect()))
            }
            Err(error) => Err(self.inner_error(error)),
        }
    }

    async fn watch(&self, prefix: Bytes, from: Revision) -> Result<WatchStream, StoreError> {
        let (prefix, from) = (self.outer_key(&prefix), self.outer(from));
        let watch = self.store.watch(prefix, from).await;
        let watch = watch.map_err(|error| self.inner_error(error))?;
        let this = self.clone();
        let inner = move |item| match item {
            Ok(WatchItem::Events(revision, events)) => {
                let events = events.iter().map(|event| this.inner_event(event)).collect();
                Ok(WatchItem::Events(this.inner(revision), events))
            }
            Ok(WatchItem::Progress(revision)) => Ok(WatchItem::Progress(this.inner(revision))),
            Err(error) => Err(this.inner_error(error)),
        };
        Ok(watch.map(inner).boxed())
    }

    async fn compact(&self, at: Revision) -> Result<(), StoreError> {
        let compacted = self.store.compact(self.outer(at)).await;
        compacted.map_err(|error| self.inner_error(error))
    }

    async fn revisions(&self) -> Result<(Revision, Revision), StoreError> {
        let (current, compacted) = self.store.revisions().await?;
        Ok((self.inner(current), self.inner(compacted)))
    }

    async fn size(&self) -> Result<u64, StoreError> {
        self.store.size().await
    }

    async fn health(&self) -> Result<(), StoreError> {
        self.store.health().await
    }

    async fn current(&self) -> Result<Revision, StoreError> {
        Ok(self.inner(self.store.current().await?))
    }

    fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    async fn request_progress(&self) -> Result<bool, StoreError> {
        self.store.request_progress().await
    }
}
