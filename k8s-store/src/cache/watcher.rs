//! One watcher: a stream of what its selection sees of the changes.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures::Stream;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::{
    Bucket, Cached, Codec,
    inbox::{CacheChange, Found, Inbox},
    registry::Place,
    shared::Shared,
};
use crate::{Revision, StoreError, version::timeline::Sequence};

/// How many changes a watcher looks at per turn while it catches up.
const CATCH_UP: usize = 4_096;

/// Decides whether an entry is selected. It runs on the watcher's own task.
pub type Filter<E> = Arc<dyn Fn(&E) -> bool + Send + Sync>;

/// What to watch.
pub struct WatchRequest<E> {
    /// Only keys that start with this.
    pub prefix: Bytes,
    /// Changes after this revision.
    pub from: Revision,
    /// Only entries in this bucket.
    pub bucket: Option<Bucket>,
    /// Only entries for which this holds.
    pub filter: Filter<E>,
    /// Whether to tell from time to time how far a quiet watch has come.
    pub bookmarks: bool,
}

impl<E> WatchRequest<E> {
    /// Everything under a prefix after a revision, without bookmarks.
    pub fn new(prefix: impl Into<Bytes>, from: Revision) -> Self {
        let filter = Arc::new(|_: &E| true);
        WatchRequest {
            prefix: prefix.into(),
            from,
            bucket: None,
            filter,
            bookmarks: false,
        }
    }
}

/// What a watcher sees. An object that enters the selection is added, one that leaves it deleted.
#[derive(Debug, PartialEq, Eq)]
pub enum CacheEvent<E> {
    /// An object appeared, or began to match.
    Added(Arc<Cached<E>>),
    /// An object that matched changed, and still matches.
    Modified(Arc<Cached<E>>),
    /// An object that matched is gone, or stopped matching.
    Deleted {
        /// Its last state that matched.
        last: Arc<Cached<E>>,
        /// When it went.
        revision: Revision,
    },
    /// Nothing up to and including this revision is outstanding.
    Bookmark(Revision),
}

impl<E> CacheEvent<E> {
    /// When it happened.
    pub fn revision(&self) -> Revision {
        match self {
            CacheEvent::Added(object) | CacheEvent::Modified(object) => object.modified,
            CacheEvent::Deleted { revision, .. } | CacheEvent::Bookmark(revision) => *revision,
        }
    }
}

impl<E> Clone for CacheEvent<E> {
    fn clone(&self) -> Self {
        match self {
            CacheEvent::Added(object) => CacheEvent::Added(Arc::clone(object)),
            CacheEvent::Modified(object) => CacheEvent::Modified(Arc::clone(object)),
            CacheEvent::Deleted { last, revision } => CacheEvent::Deleted {
                last: Arc::clone(last),
                revision: *revision,
            },
            CacheEvent::Bookmark(revision) => CacheEvent::Bookmark(*revision),
        }
    }
}

/// A stream of [`CacheEvent`]s that ends after its first error: [`StoreError::Compacted`] when it is
/// so slow that history has passed it, [`StoreError::Closed`] when the cache stops.
pub struct Watcher<C: Codec> {
    shared: Arc<Shared<C>>,
    request: WatchRequest<C::Entry>,
    inbox: Arc<Inbox<C::Entry>>,
    backlog: VecDeque<CacheChange<C::Entry>>,
    /// The last change that it looked at.
    position: Revision,
    place: Place,
    bookmark: Option<Interval>,
    finished: bool,
}

impl<C: Codec> Watcher<C> {
    pub(super) fn new(
        shared: Arc<Shared<C>>,
        request: WatchRequest<C::Entry>,
    ) -> Result<Self, StoreError> {
        let start = start(&shared, request.from)?;
        let inbox = Arc::new(Inbox::new(start, shared.options.inbox));
        let (prefix, bucket) = (request.prefix.clone(), request.bucket.clone());
        let place = shared.join(prefix, bucket, Arc::clone(&inbox))?;
        let bookmark = request.bookmarks.then(|| {
            let every = shared.options.bookmark_interval;
            let mut interval = interval_at(Instant::now() + every, every);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        });
        Ok(Watcher {
            position: request.from,
            backlog: VecDeque::new(),
            finished: false,
            shared,
            request,
            inbox,
            place,
            bookmark,
        })
    }

    /// Reads on in the timeline. The inbox takes over where the timeline ends: under the timeline's
    /// lock nothing can come in between, and what is being handed out meanwhile is older.
    fn catch_up(&mut self, start: u64) -> Result<(), StoreError> {
        let timeline = self.shared.timeline();
        let changes = timeline.since(start).ok_or_else(|| StoreError::Compacted {
            requested: self.position,
            compacted: timeline.floor(),
        })?;
        let wanted = changes
            .take(CATCH_UP)
            .filter(|change| change.key().starts_with(&self.request.prefix));
        self.backlog.extend(wanted.cloned());
        let next = timeline.end().min(start + CATCH_UP as u64);
        self.inbox.resume(next, next == timeline.end());
        Ok(())
    }

    /// What this watcher sees of a change.
    fn see(&self, change: &CacheChange<C::Entry>) -> Option<CacheEvent<C::Entry>> {
        if change.revision <= self.request.from {
            return None; // it began ahead of the cache
        }
        let selected = |side: &Option<Arc<Cached<C::Entry>>>| {
            side.as_ref()
                .filter(|object| self.selects(&object.entry))
                .map(Arc::clone)
        };
        match (selected(&change.previous), selected(&change.current)) {
            (None, Some(current)) => Some(CacheEvent::Added(current)),
            (Some(_), Some(current)) => Some(CacheEvent::Modified(current)),
            (Some(last), None) => Some(CacheEvent::Deleted {
                last,
                revision: change.revision,
            }),
            (None, None) => None,
        }
    }

    fn selects(&self, entry: &C::Entry) -> bool {
        let in_bucket = self.request.bucket.as_ref().is_none_or(|wanted| {
            let mut buckets = Vec::new();
            self.shared.codec.buckets(entry, &mut buckets);
            buckets.contains(wanted)
        });
        in_bucket && (self.request.filter)(entry)
    }
}

/// The first change to look at. Who shares a store may have heard of a revision before the cache has.
fn start<C: Codec>(shared: &Shared<C>, from: Revision) -> Result<Sequence, StoreError> {
    let timeline = shared.timeline();
    match shared.store.is_shared() {
        true => timeline.after(from.min(timeline.current())),
        false => timeline.after(from),
    }
}

impl<C: Codec> Stream for Watcher<C> {
    type Item = Result<CacheEvent<C::Entry>, StoreError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.finished {
            return Poll::Ready(None);
        }
        loop {
            while let Some(change) = this.backlog.pop_front() {
                this.position = change.revision;
                if let Some(event) = this.see(&change) {
                    return Poll::Ready(Some(Ok(event)));
                }
            }
            // Read before looking: when the inbox is then empty, all up to here has been seen.
            let settled = this.shared.visible();
            let error = match this.inbox.take(cx, &mut this.backlog) {
                Found::Changes => continue,
                Found::Behind(start) => match this.catch_up(start) {
                    Ok(()) => continue,
                    Err(error) => error,
                },
                Found::Ended(error) => error,
                Found::Nothing => {
                    let Some(interval) = &mut this.bookmark else {
                        return Poll::Pending;
                    };
                    ready!(interval.poll_tick(cx));
                    let settled = settled.max(this.request.from);
                    return Poll::Ready(Some(Ok(CacheEvent::Bookmark(settled))));
                }
            };
            this.finished = true;
            return Poll::Ready(Some(Err(error)));
        }
    }
}

impl<C: Codec> Drop for Watcher<C> {
    fn drop(&mut self) {
        self.shared.leave(&self.place);
    }
}
