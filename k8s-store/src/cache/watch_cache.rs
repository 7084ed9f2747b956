//! The cache's handle: starting it, reading from it, writing through it.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Cached, Codec, WatchRequest, Watcher, pump, shared::Shared};
use crate::{Range, Retention, Revision, Store, StoreError, Txn, TxnOutcome, version::tree::Tree};

/// How much the cache keeps.
#[derive(Clone, Copy, Debug)]
pub struct CacheOptions {
    /// Which changes are kept for watchers that start in the past, and for lists of an older
    /// revision.
    pub retention: Retention,
    /// How many changes may wait for one watcher before it has to catch up by itself.
    pub inbox: usize,
    /// How often watchers that asked for bookmarks get one while nothing else happens.
    pub bookmark_interval: Duration,
}

impl Default for CacheOptions {
    fn default() -> Self {
        CacheOptions {
            retention: Retention {
                changes: 16_384,
                ..Retention::default()
            },
            inbox: 256,
            bookmark_interval: Duration::from_secs(60),
        }
    }
}

/// Objects in key order, the revision that they are the state of, and whether more follow.
pub type Listing<E> = (Vec<Arc<Cached<E>>>, Revision, bool);

/// Everything under a prefix of a store, ready to be read and watched. Clones share it; when the
/// last one is dropped its task stops and its watchers end.
pub struct WatchCache<C: Codec> {
    pub(super) shared: Arc<Shared<C>>,
    _running: Arc<DropGuard>,
}

impl<C: Codec> WatchCache<C> {
    /// Reads everything under `prefix` and follows it from there, by one watch, until cancelled.
    /// Fails if the store does, or with [`StoreError::Undecodable`] if the codec rejects a value.
    pub async fn start(
        store: Arc<dyn Store>,
        codec: C,
        prefix: Bytes,
        options: CacheOptions,
        cancel: CancellationToken,
    ) -> Result<Self, StoreError> {
        let (tree, revision) = pump::load(&*store, &codec, &prefix, &Tree::default()).await?;
        let changes = store.watch(prefix.clone(), revision).await?;
        let shared = Arc::new(Shared::new(store, codec, prefix, options, tree, revision));
        let cancel = cancel.child_token();
        // The task ends with the token, which is cancelled at the latest when the last handle goes.
        tokio::spawn(pump::run(Arc::clone(&shared), changes, cancel.clone()));
        Ok(WatchCache {
            shared,
            _running: Arc::new(cancel.drop_guard()),
        })
    }

    /// The newest revision that readers see.
    pub fn revision(&self) -> Revision {
        self.shared.timeline().current()
    }

    /// Waits until readers and watchers see a revision. It never does for a revision that the store
    /// doesn't reach, so bound the wait if the revision comes from outside.
    pub async fn wait_for(&self, revision: Revision) -> Result<(), StoreError> {
        self.shared.wait_for(revision).await
    }

    /// Commits to the store; when it answers `Committed`, the write is visible in this cache, and when
    /// it answers `Conflict`, so is what it lost to: unless the store is shared and its word is slow to
    /// come, when fresh reads see it all the same.
    /// If the cache stops in between, its error says so although the write has been done.
    pub async fn commit(&self, txn: Txn) -> Result<TxnOutcome, StoreError> {
        let outcome = self.shared.store.commit(txn).await?;
        let seen = match &outcome {
            TxnOutcome::Committed(revision) => *revision,
            // Whoever lost to a write, or to a deletion, must find it here when it reads again.
            TxnOutcome::Conflict(_) => self.shared.store.current().await?,
        };
        self.approach(seen).await?;
        Ok(outcome)
    }

    /// The newest state of one key.
    pub fn get(&self, key: &[u8]) -> Option<Arc<Cached<C::Entry>>> {
        self.shared.timeline().tree().get(key).cloned()
    }

    /// A consistent snapshot of the newest state: the objects under `prefix`, strictly behind
    /// `after`, for which `filter` holds, at most `limit` of them.
    pub fn list(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: Option<usize>,
        filter: &dyn Fn(&Cached<C::Entry>) -> bool,
    ) -> Listing<C::Entry> {
        let timeline = self.shared.timeline();
        let (tree, revision) = (timeline.tree().clone(), timeline.current());
        drop(timeline);
        select(&tree, revision, prefix, after, limit, filter)
    }

    /// The same as of an older revision, to continue a list where it began: from the retained
    /// changes, or from the store's history. [`StoreError::Compacted`] if both have forgotten it,
    /// [`StoreError::Future`] if it is yet to come.
    pub async fn list_at(
        &self,
        revision: Revision,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: Option<usize>,
        filter: &(dyn Fn(&Cached<C::Entry>) -> bool + Sync),
    ) -> Result<Listing<C::Entry>, StoreError> {
        let tree = self.tree_at(revision, prefix).await?;
        Ok(select(&tree, revision, prefix, after, limit, filter))
    }

    /// How many objects were under a prefix, strictly behind `after`, at a revision; counted without
    /// visiting them. Errors as of [`WatchCache::list_at`].
    pub async fn count_at(
        &self,
        revision: Revision,
        prefix: &[u8],
        after: &[u8],
    ) -> Result<usize, StoreError> {
        let tree = self.tree_at(revision, prefix).await?;
        Ok(tree.positions(prefix, Some(after)).len())
    }

    /// How many objects there are under a prefix, counted without visiting them.
    pub fn count(&self, prefix: &[u8]) -> usize {
        self.shared.timeline().tree().positions(prefix, None).len()
    }

    /// Changes from a retained revision on. [`StoreError::Compacted`] if it is not retained,
    /// [`StoreError::Future`] if it is yet to come. On a shared store the cache can't tell that from
    /// its own lag: then the watch begins where the revision does, and [`WatchCache::reach`] tells
    /// beforehand. Needs a tokio runtime if bookmarks are asked for.
    pub fn watch(&self, request: WatchRequest<C::Entry>) -> Result<Watcher<C>, StoreError> {
        Watcher::new(Arc::clone(&self.shared), request)
    }

    /// How many watchers there are.
    pub fn watchers(&self) -> usize {
        self.shared.registry().len()
    }

    async fn tree_at(
        &self,
        revision: Revision,
        prefix: &[u8],
    ) -> Result<Tree<Cached<C::Entry>>, StoreError> {
        let past = self.shared.timeline().past(revision, prefix);
        match past {
            Ok(past) => Ok(past.tree()),
            Err(StoreError::Compacted { .. }) => self.load_at(revision, prefix).await,
            Err(StoreError::Future { .. }) if self.shared.store.is_shared() => {
                self.load_at(revision, prefix).await
            }
            Err(error) => Err(error),
        }
    }

    async fn load_at(
        &self,
        revision: Revision,
        prefix: &[u8],
    ) -> Result<Tree<Cached<C::Entry>>, StoreError> {
        let prefix = Bytes::copy_from_slice(prefix);
        let range = Range {
            prefix,
            at: Some(revision),
            ..Range::default()
        };
        let mut tree = Tree::default();
        for kv in self.shared.store.range(range).await?.items {
            tree.insert(Arc::new(Cached::decode(&self.shared.codec, kv)?));
        }
        Ok(tree)
    }
}

pub(super) fn select<E>(
    tree: &Tree<Cached<E>>,
    revision: Revision,
    prefix: &[u8],
    after: Option<&[u8]>,
    limit: Option<usize>,
    filter: &dyn Fn(&Cached<E>) -> bool,
) -> Listing<E> {
    let positions = tree.positions(prefix, after);
    let mut matching = tree
        .iter_from(positions.start)
        .take(positions.len())
        .filter(|object| filter(object));
    let found = matching
        .by_ref()
        .take(limit.unwrap_or(usize::MAX))
        .cloned()
        .collect();
    (found, revision, matching.next().is_some())
}

impl<C: Codec> Clone for WatchCache<C> {
    fn clone(&self) -> Self {
        WatchCache {
            shared: Arc::clone(&self.shared),
            _running: Arc::clone(&self._running),
        }
    }
}

impl<C: Codec> fmt::Debug for WatchCache<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timeline = self.shared.timeline();
        f.debug_struct("WatchCache")
            .field("prefix", &self.shared.prefix)
            .field("revision", &timeline.current())
            .field("objects", &timeline.tree().len())
            .field("changes", &timeline.depth())
            .finish_non_exhaustive()
    }
}
