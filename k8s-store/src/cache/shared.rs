//! What the cache's handle, its task and its watchers share, and the order in which a change becomes
//! visible: to readers, then to watchers, then to those who wait for its revision.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;
use tokio::sync::watch;

use super::{
    Bucket, CacheOptions, Cached, Codec,
    inbox::Inbox,
    registry::{Place, Registry},
};
use crate::{
    Revision, Store, StoreError,
    version::{
        retention::Clock,
        timeline::{Draft, Timeline},
        tree::Tree,
    },
};

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

impl<C: Codec> Shared<C> {
    pub(super) fn new(
        store: Arc<dyn Store>,
        codec: C,
        prefix: Bytes,
        options: CacheOptions,
        tree: Tree<Cached<C::Entry>>,
        revision: Revision,
    ) -> Self {
        Shared {
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
        }
    }

    /// Waits until readers and watchers see a revision, or never will.
    pub(super) async fn wait_for(&self, revision: Revision) -> Result<(), StoreError> {
        let mut visible = self.visible.subscribe();
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

    // Both locks guard states that are complete whenever a panic could leave them.
    pub(super) fn timeline(&self) -> RwLockReadGuard<'_, Timeline<Cached<C::Entry>>> {
        self.timeline.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn registry(&self) -> MutexGuard<'_, Registry<C::Entry>> {
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
