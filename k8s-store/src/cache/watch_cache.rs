//! The cache's handle: starting it, reading from it, writing through it.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    Bucket, Cached, Codec, WatchRequest, Watcher,
    inbox::Inbox,
    pump,
    registry::{Place, Registry},
};
use crate::{
    Range, Retention, Revision, Store, StoreError, Txn, TxnOutcome,
    version::{
        retention::Clock,
        timeline::{Draft, Timeline},
        tree::Tree,
    },
};

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
    shared: Arc<Shared<C>>,
    _running: Arc<DropGuard>,
}

/// What the handle, the task and the watchers share.
pub(super) struct Shared<C: Codec> {
    pub(super) store: Arc<dyn Store>,
    pub(super) codec: C,
    pub(super) prefix: Bytes,
    pub(super) options: CacheOptions,
    timeline: RwLock<Timeline<Cached<C::Entry>>>,
    clock: Mutex<Clock>,
    watchers: Mutex<Registry<C::Entry>>,
    /// Advanced after the watchers have been served, so whoever waited here finds them served.
    visible: watch::Sender<Visible>,
}

#[derive(Clone, Debug)]
struct Visible {
    revision: Revision,
    ended: Option<StoreError>,
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
        let shared = Arc::new(Shared {
            store,
            codec,
            prefix,
            options,
            timeline: RwLock::new(Timeline::new(tree, revision)),
            clock: Mutex::new(Clock::new(options.retention)),
            watchers: Mutex::new(Registry::new()),
            visible: watch::Sender::new(Visible {
                revision,
                ended: None,
            }),
        });
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
        let mut visible = self.shared.visible.subscribe();
        let reached = |visible: &Visible| visible.revision >= revision || visible.ended.is_some();
        let visible = visible
            .wait_for(reached)
            .await
            .map_err(|_| StoreError::Closed)?;
        match &visible.ended {
            Some(error) if visible.revision < revision => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// Commits to the store; when it answers `Committed`, the write is visible in this cache.
    /// If the cache stops in between, its error says so although the write has been done.
    pub async fn commit(&self, txn: Txn) -> Result<TxnOutcome, StoreError> {
        let outcome = self.shared.store.commit(txn).await?;
        if let TxnOutcome::Committed(revision) = &outcome {
            self.wait_for(*revision).await?;
        }
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
        let past = self.shared.timeline().past(revision, prefix);
        let tree = match past {
            Ok(past) => past.tree(),
            Err(StoreError::Compacted { .. }) => self.load_at(revision, prefix).await?,
            Err(error) => return Err(error),
        };
        Ok(select(&tree, revision, prefix, after, limit, filter))
    }

    /// How many objects there are under a prefix, counted without visiting them.
    pub fn count(&self, prefix: &[u8]) -> usize {
        self.shared.timeline().tree().positions(prefix, None).len()
    }

    /// Changes from a retained revision on. [`StoreError::Compacted`] if it is not retained,
    /// [`StoreError::Future`] if it is yet to come. Needs a tokio runtime if bookmarks are asked for.
    pub fn watch(&self, request: WatchRequest<C::Entry>) -> Result<Watcher<C>, StoreError> {
        Watcher::new(Arc::clone(&self.shared), request)
    }

    /// How many watchers there are.
    pub fn watchers(&self) -> usize {
        self.shared.registry().len()
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

fn select<E>(
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

impl<C: Codec> Shared<C> {
    // Both locks guard states that are complete whenever a panic could leave them.
    pub(super) fn timeline(&self) -> RwLockReadGuard<'_, Timeline<Cached<C::Entry>>> {
        self.timeline.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn registry(&self) -> MutexGuard<'_, Registry<C::Entry>> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All up to this revision has been handed to the watchers.
    pub(super) fn visible(&self) -> Revision {
        self.visible.borrow().revision
    }

    pub(super) fn join(
        &self,
        prefix: Bytes,
        bucket: Option<Bucket>,
        inbox: Arc<Inbox<C::Entry>>,
    ) -> Result<Place, StoreError> {
        let mut registry = self.registry();
        // Looked at under the lock: `end` takes it after it has told the reason.
        match &self.visible.borrow().ended {
            Some(error) => Err(error.clone()),
            None => Ok(registry.join(prefix, bucket, inbox)),
        }
    }

    pub(super) fn leave(&self, place: &Place) {
        self.registry().leave(place);
    }

    /// Makes a draft visible: to readers, then to watchers, then to those who wait for it.
    pub(super) fn publish(&self, draft: Draft<Cached<C::Entry>>) {
        let revision = draft.revision;
        let changes = draft.changes.clone();
        let mut timeline = self
            .timeline
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let first = timeline.publish(draft);
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(upto) = clock.tick(&timeline) {
            timeline.forget(upto);
        }
        drop((timeline, clock));
        let registry = self.registry();
        for (sequence, change) in (first..).zip(&changes) {
            registry.dispatch(&self.codec, sequence, change);
        }
        drop(registry);
        self.visible
            .send_modify(|visible| visible.revision = revision);
    }

    /// Replaces everything; watchers can't tell what they missed, so they end.
    pub(super) fn reset(&self, tree: Tree<Cached<C::Entry>>, revision: Revision) {
        let mut timeline = self
            .timeline
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let requested = timeline.current();
        timeline.reset(tree, revision);
        drop(timeline);
        self.registry().end(&StoreError::Compacted {
            requested,
            compacted: revision,
        });
        self.visible
            .send_modify(|visible| visible.revision = revision);
    }

    /// Tells everybody that nothing more will come.
    pub(super) fn end(&self, error: StoreError) {
        self.visible
            .send_modify(|visible| visible.ended = Some(error.clone()));
        self.registry().end(&error);
    }
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
