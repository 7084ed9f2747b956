//! Where a watcher's changes wait for it.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Waker},
};

use crate::{
    StoreError,
    version::timeline::{Change, Sequence},
};

use super::Cached;

/// A change to a cached object.
pub(super) type CacheChange<E> = Arc<Change<Cached<E>>>;

/// Between the cache's writer, who fills it, and one watcher, who empties it.
pub(super) struct Inbox<E> {
    state: Mutex<State<E>>,
    capacity: usize,
}

struct State<E> {
    mail: Mail<E>,
    waker: Option<Waker>,
    ended: Option<StoreError>,
}

enum Mail<E> {
    /// The watcher keeps up: what it has not taken yet. Nothing before `since` belongs here.
    Live {
        since: Sequence,
        queue: VecDeque<(Sequence, CacheChange<E>)>,
    },
    /// The watcher reads the timeline from here; there is no use in queueing meanwhile.
    Behind(Sequence),
}

/// What a watcher finds when it looks.
pub(super) enum Found {
    /// Changes, now in its backlog.
    Changes,
    /// It has to read the timeline from here.
    Behind(Sequence),
    /// The cache has stopped.
    Ended(StoreError),
    /// Nothing; it will be woken.
    Nothing,
}

impl<E> Inbox<E> {
    /// An inbox whose owner first reads the timeline from `start`.
    pub(super) fn new(start: Sequence, capacity: usize) -> Self {
        let state = State {
            mail: Mail::Behind(start),
            waker: None,
            ended: None,
        };
        Inbox {
            state: Mutex::new(state),
            capacity,
        }
    }

    /// Adds a change. If it doesn't fit, everything that waits is dropped: the watcher will find it
    /// in the timeline.
    pub(super) fn push(&self, sequence: Sequence, change: &CacheChange<E>) {
        let mut state = self.lock();
        if let Mail::Live { since, queue } = &mut state.mail {
            if sequence < *since {
                return;
            }
            queue.push_back((sequence, Arc::clone(change)));
            if queue.len() > self.capacity {
                let (oldest, _) = queue[0];
                state.mail = Mail::Behind(oldest);
            }
        }
        wake(state);
    }

    /// Stops the watcher after what it has already taken.
    pub(super) fn end(&self, error: StoreError) {
        let mut state = self.lock();
        state.ended = Some(error);
        wake(state);
    }

    /// Moves what waits into `backlog`, or leaves a waker.
    pub(super) fn take(&self, cx: &Context<'_>, backlog: &mut VecDeque<CacheChange<E>>) -> Found {
        let mut guard = self.lock();
        let state = &mut *guard;
        match (&mut state.mail, &state.ended) {
            (Mail::Live { queue, .. }, _) if !queue.is_empty() => {
                let queue = mem::take(queue);
                drop(guard);
                backlog.extend(queue.into_iter().map(|(_, change)| change));
                Found::Changes
            }
            (_, Some(error)) => Found::Ended(error.clone()),
            (Mail::Behind(start), None) => Found::Behind(*start),
            (Mail::Live { .. }, None) => {
                state.waker = Some(cx.waker().clone());
                Found::Nothing
            }
        }
    }

    /// The watcher has read the timeline up to `next` and, if that was its end, keeps up from here.
    pub(super) fn resume(&self, next: Sequence, caught_up: bool) {
        self.lock().mail = match caught_up {
            true => Mail::Live {
                since: next,
                queue: VecDeque::new(),
            },
            false => Mail::Behind(next),
        };
    }

    fn lock(&self) -> MutexGuard<'_, State<E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake<E>(mut state: MutexGuard<'_, State<E>>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}
