//! What a subscriber hasn't taken yet, folded per object.

use std::{
    collections::{BTreeMap, VecDeque},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use futures::{Stream, task::AtomicWaker};
use kube::Resource;

use crate::Key;

/// A change of one object, as its subscriber sees it: relative to what it was told before.
#[derive(Debug)]
pub enum Event<K> {
    /// It exists, and the subscriber didn't know.
    Added(Arc<K>),
    /// It is the same object (the same uid) in another state.
    Updated {
        /// What the subscriber was told before.
        old: Arc<K>,
        /// What is now.
        new: Arc<K>,
    },
    /// It is gone; this is the last state known. What came and went while the subscriber was busy
    /// is told as this alone.
    Deleted(Arc<K>),
}

impl<K> Event<K> {
    /// The newest state that the event carries.
    pub fn object(&self) -> &Arc<K> {
        match self {
            Event::Added(object) | Event::Deleted(object) | Event::Updated { new: object, .. } => {
                object
            }
        }
    }

    /// The state before, for an update.
    pub fn old(&self) -> Option<&Arc<K>> {
        match self {
            Event::Updated { old, .. } => Some(old),
            Event::Added(_) | Event::Deleted(_) => None,
        }
    }
}

impl<K> Clone for Event<K> {
    fn clone(&self) -> Self {
        match self {
            Event::Added(object) => Event::Added(object.clone()),
            Event::Updated { old, new } => Event::Updated {
                old: old.clone(),
                new: new.clone(),
            },
            Event::Deleted(object) => Event::Deleted(object.clone()),
        }
    }
}

/// The stream of an informer's changes, folded per object while nobody takes them.
pub struct Subscription<K> {
    mailbox: Arc<Mailbox<K>>,
}

impl<K> Subscription<K> {
    pub(super) fn new(mailbox: Arc<Mailbox<K>>) -> Self {
        Self { mailbox }
    }
}

impl<K: Resource> Stream for Subscription<K> {
    type Item = Event<K>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event<K>>> {
        self.mailbox.waker.register(cx.waker());
        let mut letters = self.mailbox.letters();
        match letters.take() {
            Some(event) => Poll::Ready(Some(event)),
            None if letters.is_closed => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

pub(super) struct Mailbox<K> {
    letters: Mutex<Letters<K>>,
    waker: AtomicWaker,
}

struct Letters<K> {
    /// Whose turn it is: the keys of `changes`, oldest first.
    order: VecDeque<Arc<Key>>,
    changes: BTreeMap<Arc<Key>, Change<K>>,
    is_closed: bool,
}

/// From what the subscriber knows to what is true; `last` is the final state of what is gone.
struct Change<K> {
    known: Option<Arc<K>>,
    now: Option<Arc<K>>,
    last: Option<Arc<K>>,
}

impl<K> Default for Mailbox<K> {
    fn default() -> Self {
        Self {
            letters: Mutex::new(Letters {
                order: VecDeque::new(),
                changes: BTreeMap::new(),
                is_closed: false,
            }),
            waker: AtomicWaker::new(),
        }
    }
}

impl<K> Mailbox<K> {
    fn letters(&self) -> MutexGuard<'_, Letters<K>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, key: &Arc<Key>, old: Option<Arc<K>>, new: Option<Arc<K>>) {
        self.letters().put(key, old, new);
        self.waker.wake();
    }

    pub(super) fn close(&self) {
        self.letters().is_closed = true;
        self.waker.wake();
    }
}

impl<K> Letters<K> {
    fn put(&mut self, key: &Arc<Key>, old: Option<Arc<K>>, new: Option<Arc<K>>) {
        if let Some(change) = self.changes.get_mut(key) {
            if new.is_none() {
                change.last = old;
            }
            change.now = new;
            return;
        }
        let change = Change {
            last: if new.is_none() { old.clone() } else { None },
            known: old,
            now: new,
        };
        self.changes.insert(key.clone(), change);
        self.order.push_back(key.clone());
    }

    fn take(&mut self) -> Option<Event<K>>
    where
        K: Resource,
    {
        let key = self.order.pop_front()?;
        let change = self
            .changes
            .remove(&key)
            .expect("every key in the order has a change");
        let (old, new) = match (change.known, change.now) {
            (None, Some(new)) => return Some(Event::Added(new)),
            // What came and went unseen is told, too: its maker may be waiting for it.
            (known, None) => return change.last.or(known).map(Event::Deleted),
            (Some(old), Some(new)) => (old, new),
        };
        if old.meta().uid == new.meta().uid {
            return Some(Event::Updated { old, new });
        }
        // Another object under the same name: its predecessor's end comes first.
        let successor = Change {
            known: None,
            now: Some(new),
            last: None,
        };
        self.order.push_front(key.clone());
        self.changes.insert(key, successor);
        Some(Event::Deleted(change.last.unwrap_or(old)))
    }
}
