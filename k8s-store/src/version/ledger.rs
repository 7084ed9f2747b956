//! The read side of an engine: committed state that readers take snapshots of and watchers follow.
//!
//! One writer publishes; a published transaction is as durable as the engine makes it. A watcher is
//! a position in the timeline, not a queue: it costs nothing while it sleeps, and one that is slower
//! than history is long finds its position gone.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::sync::watch;

use super::{
    retention::Clock,
    timeline::{Change, Draft, Sequence, Timeline},
    tree::Tree,
};
use crate::{Event, KeyValue, Page, Range, Revision, StoreError, WatchItem, WatchStream};

/// How many changes a watcher takes along per look under the lock.
const READ_AHEAD: usize = 512;

/// Committed state with its readers.
pub(crate) struct Ledger {
    timeline: RwLock<Timeline<KeyValue>>,
    signal: watch::Sender<Signal>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Signal {
    current: Revision,
    closed: bool,
}

impl Ledger {
    pub(crate) fn new(timeline: Timeline<KeyValue>) -> Self {
        let signal = watch::Sender::new(Signal {
            current: timeline.current(),
            closed: false,
        });
        Ledger {
            timeline: RwLock::new(timeline),
            signal,
        }
    }

    /// A copy of the present to prepare the next state in. There is one writer at a time.
    pub(crate) fn draft(&self) -> Draft<KeyValue> {
        self.read().draft()
    }

    /// Makes a draft visible, lets history go as `clock` says, and wakes the watchers.
    pub(crate) fn publish(&self, draft: Draft<KeyValue>, clock: &mut Clock) {
        let current = draft.revision;
        let mut timeline = self.write();
        timeline.publish(draft);
        if let Some(upto) = clock.tick(&timeline) {
            timeline.forget(upto);
        }
        drop(timeline);
        self.signal.send_modify(|signal| signal.current = current);
    }

    /// Forgets history up to and including a revision.
    pub(crate) fn compact(&self, at: Revision) -> Result<(), StoreError> {
        let mut timeline = self.write();
        timeline.check(at)?;
        timeline.forget(at);
        Ok(())
    }

    /// Ends all watches once they have delivered what is published.
    pub(crate) fn close(&self) {
        self.signal.send_modify(|signal| signal.closed = true);
    }

    pub(crate) fn get(&self, key: &[u8]) -> (Option<KeyValue>, Revision) {
        let timeline = self.read();
        (
            timeline.tree().get(key).map(|kv| (**kv).clone()),
            timeline.current(),
        )
    }

    /// The newest and the last compacted revision.
    pub(crate) fn revisions(&self) -> (Revision, Revision) {
        let timeline = self.read();
        (timeline.current(), timeline.floor())
    }

    /// The present, to be read without a lock.
    pub(crate) fn snapshot(&self) -> (Tree<KeyValue>, Revision) {
        let timeline = self.read();
        (timeline.tree().clone(), timeline.current())
    }

    pub(crate) fn range(&self, range: &Range) -> Result<Page, StoreError> {
        let (tree, revision) = match range.at {
            None => self.snapshot(),
            Some(at) => {
                let past = self.read().past(at, &range.prefix)?;
                (past.tree(), at)
            }
        };
        let positions = tree.positions(&range.prefix, range.after.as_deref());
        let take = positions.len().min(range.limit.unwrap_or(usize::MAX));
        let items = tree
            .iter_from(positions.start)
            .take(take)
            .map(|kv| (**kv).clone());
        Ok(Page {
            items: items.collect(),
            revision,
            remaining: positions.len() - take,
        })
    }

    pub(crate) fn watch(
        self: &Arc<Self>,
        prefix: Bytes,
        from: Revision,
    ) -> Result<WatchStream, StoreError> {
        let follower = Follower {
            next: self.read().after(from)?,
            reported: from,
            ready: VecDeque::new(),
            signal: self.signal.subscribe(),
            ledger: Arc::clone(self),
            prefix,
        };
        let items = stream::unfold(Some(follower), async |follower| {
            let mut follower = follower?;
            match follower.next().await {
                Ok(item) => Some((Ok(item), Some(follower))),
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(items.boxed())
    }

    // A panic under the lock can only come from the allocator or a broken invariant of the tree,
    // and every state that the lock can be left in is one that was complete.
    fn read(&self) -> RwLockReadGuard<'_, Timeline<KeyValue>> {
        self.timeline.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Timeline<KeyValue>> {
        self.timeline
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timeline = self.read();
        f.debug_struct("Ledger")
            .field("current", &timeline.current())
            .field("compacted", &timeline.floor())
            .field("keys", &timeline.tree().len())
            .field("changes", &timeline.depth())
            .finish()
    }
}

/// One watch: a prefix and a position.
struct Follower {
    ledger: Arc<Ledger>,
    prefix: Bytes,
    next: Sequence,
    reported: Revision,
    ready: VecDeque<WatchItem>,
    signal: watch::Receiver<Signal>,
}

impl Follower {
    async fn next(&mut self) -> Result<WatchItem, StoreError> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Ok(item);
            }
            let closed = self.signal.borrow_and_update().closed;
            self.read_ahead()?;
            if self.ready.is_empty() {
                if closed {
                    return Err(StoreError::Closed);
                }
                self.signal
                    .changed()
                    .await
                    .map_err(|_| StoreError::Closed)?;
            }
        }
    }

    /// Takes along whole transactions, and word of progress when the present is reached.
    fn read_ahead(&mut self) -> Result<(), StoreError> {
        let timeline = self.ledger.read();
        let before = self.reported;
        let changes = timeline
            .since(self.next)
            .ok_or_else(|| StoreError::Compacted {
                requested: self.reported,
                compacted: timeline.floor(),
            })?;
        for (count, change) in changes.enumerate() {
            if count >= READ_AHEAD && change.revision > self.reported {
                return Ok(());
            }
            self.next += 1;
            self.reported = change.revision;
            if change.key().starts_with(&self.prefix) {
                push(&mut self.ready, change);
            }
        }
        self.reported = timeline.current();
        let told = match self.ready.back() {
            Some(WatchItem::Events(revision, _) | WatchItem::Progress(revision)) => *revision,
            None => before,
        };
        if told < self.reported {
            self.ready.push_back(WatchItem::Progress(self.reported));
        }
        Ok(())
    }
}

fn push(ready: &mut VecDeque<WatchItem>, change: &Change<KeyValue>) {
    let event = Event::from(change);
    match ready.back_mut() {
        Some(WatchItem::Events(revision, events)) if *revision == change.revision => {
            events.push(event);
        }
        _ => ready.push_back(WatchItem::Events(change.revision, vec![event])),
    }
}
