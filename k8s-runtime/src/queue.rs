//! The work queue between events and reconcilers.
//!
//! As client-go's: an item is in the queue at most once; an item that is added again while it is
//! being processed is processed once more afterwards, never by two workers at a time; items can be
//! added after a delay, and with a delay that doubles with each failure (5 ms to 1000 s).
//!
//! There is no task behind it. A waiting [`next`](Queue::next) sleeps until the earliest delayed
//! item is due, and each worker that leaves with an item passes the watch on to another.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use crate::backoff;

/// A queue of distinct items. Cheap to clone; all clones are one queue.
pub struct Queue<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Notify,
    base: Duration,
    max: Duration,
}

struct State<T> {
    ready: VecDeque<T>,
    /// Wants processing: in `ready`, or added while in `processing`.
    dirty: HashSet<T>,
    processing: HashSet<T>,
    failures: HashMap<T, u32>,
    /// Delayed items by due time; `due` is the way back.
    delayed: BTreeMap<(Instant, u64), T>,
    due: HashMap<T, (Instant, u64)>,
    sequence: u64,
    is_shut_down: bool,
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<T: Clone + Eq + Hash> Default for Queue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Clone + Eq + Hash> Queue<T> {
    /// A queue whose failing items wait 5 ms, 10 ms, ... up to 1000 s.
    pub fn new() -> Self {
        Self::with_backoff(Duration::from_millis(5), Duration::from_secs(1000))
    }

    /// A queue whose failing items wait `base`, twice that, ... up to `max`.
    pub fn with_backoff(base: Duration, max: Duration) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State {
                    ready: VecDeque::new(),
                    dirty: HashSet::new(),
                    processing: HashSet::new(),
                    failures: HashMap::new(),
                    delayed: BTreeMap::new(),
                    due: HashMap::new(),
                    sequence: 0,
                    is_shut_down: false,
                }),
                changed: Notify::new(),
                base,
                max,
            }),
        }
    }

    /// Adds an item, unless it waits already.
    pub fn add(&self, item: T) {
        if self.state().add(item) {
            self.shared.changed.notify_one();
        }
    }

    /// Adds an item once the delay is over. Of several delays for one item the earliest counts.
    pub fn add_after(&self, item: T, delay: Duration) {
        if delay.is_zero() {
            return self.add(item);
        }
        if self.state().delay(item, Instant::now() + delay) {
            self.shared.changed.notify_one();
        }
    }

    /// Adds an item after a delay that doubles with each call until [`forget`](Self::forget).
    pub fn add_rate_limited(&self, item: T) {
        let delay = {
            let mut state = self.state();
            let failures = state.failures.entry(item.clone()).or_default();
            let step = *failures;
            *failures = failures.saturating_add(1);
            backoff::delay(self.shared.base, self.shared.max, 2.0, step)
        };
        self.add_after(item, delay);
    }

    /// Ends an item's run of failures.
    pub fn forget(&self, item: &T) {
        self.state().failures.remove(item);
    }

    /// How often an item was added rate-limited since it was last forgotten.
    pub fn retries(&self, item: &T) -> u32 {
        self.state().failures.get(item).copied().unwrap_or(0)
    }

    /// The next item, when there is one; `None` once the queue is shut down and empty.
    /// Each item that was handed out must come back through [`done`](Self::done).
    pub async fn next(&self) -> Option<T> {
        loop {
            let changed = self.shared.changed.notified();
            let earliest = {
                let mut state = self.state();
                state.release_due(Instant::now());
                if let Some(item) = state.take() {
                    if !state.ready.is_empty() || !state.delayed.is_empty() {
                        self.shared.changed.notify_one();
                    }
                    return Some(item);
                }
                if state.is_shut_down {
                    self.shared.changed.notify_one();
                    return None;
                }
                state.delayed.keys().next().map(|(due, _)| *due)
            };
            match earliest {
                Some(due) => {
                    let _ = tokio::time::timeout_at(due, changed).await;
                }
                None => changed.await,
            }
        }
    }

    /// Ends the processing of an item; if it was added meanwhile, it is queued again.
    pub fn done(&self, item: &T) {
        if self.state().done(item) {
            self.shared.changed.notify_one();
        }
    }

    /// How many items are ready to be taken.
    pub fn len(&self) -> usize {
        self.state().ready.len()
    }

    /// Whether nothing is ready to be taken.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Accepts nothing more; what is ready is still handed out, what is delayed is dropped.
    pub fn shutdown(&self) {
        let mut state = self.state();
        state.is_shut_down = true;
        state.delayed.clear();
        state.due.clear();
        self.shared.changed.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rules, without the waiting. Functions that return `bool` say whether a worker should look.
impl<T: Clone + Eq + Hash> State<T> {
    fn add(&mut self, item: T) -> bool {
        if self.is_shut_down || !self.dirty.insert(item.clone()) {
            return false;
        }
        if self.processing.contains(&item) {
            return false;
        }
        self.ready.push_back(item);
        true
    }

    fn delay(&mut self, item: T, due: Instant) -> bool {
        if self.is_shut_down {
            return false;
        }
        if let Some(earlier) = self.due.get(&item).copied() {
            if earlier.0 <= due {
                return false;
            }
            self.delayed.remove(&earlier);
        }
        let slot = (due, self.sequence);
        self.sequence += 1;
        self.due.insert(item.clone(), slot);
        self.delayed.insert(slot, item);
        true
    }

    fn release_due(&mut self, now: Instant) {
        while let Some(entry) = self.delayed.first_entry() {
            if entry.key().0 > now {
                return;
            }
            let item = entry.remove();
            self.due.remove(&item);
            self.add(item);
        }
    }

    fn take(&mut self) -> Option<T> {
        let item = self.ready.pop_front()?;
        self.dirty.remove(&item);
        self.processing.insert(item.clone());
        Some(item)
    }

    fn done(&mut self, item: &T) -> bool {
        self.processing.remove(item);
        if self.dirty.contains(item) {
            self.ready.push_back(item.clone());
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests;
