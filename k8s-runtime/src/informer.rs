//! A shared cache of one collection that tells its subscribers what changed.
//!
//! The informer's task is the only writer. Each subscriber owns a mailbox that holds at most one
//! entry per object: changes that it hasn't taken yet are folded together, so a slow subscriber
//! costs memory for the objects that changed, never for the number of changes, and no event waits
//! for anybody.

mod mailbox;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use kube::Api;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{Key, Sink, Source, Store, WatchConfig, Watched, store::Table};
use mailbox::Mailbox;
pub use mailbox::{Event, Subscription};

/// Keeps a [`Store`] equal to a collection of the API. Cheap to clone; all clones are one cache.
pub struct Informer<K> {
    shared: Arc<Shared<K>>,
}

struct Shared<K> {
    source: Source<K>,
    store: Store<K>,
    mailboxes: Mutex<Vec<Weak<Mailbox<K>>>>,
    phase: watch::Sender<Phase>,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Starting,
    Synced,
    Stopped,
}

impl<K> Clone for Informer<K> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<K: Watched> Informer<K> {
    /// An informer over a whole collection; [`run`](Self::run) starts it.
    pub fn new(api: Api<K>) -> Self {
        Self::with_config(api, WatchConfig::default())
    }

    /// An informer over the part of a collection that the configuration selects.
    pub fn with_config(api: Api<K>, config: WatchConfig) -> Self {
        Self {
            shared: Arc::new(Shared {
                source: Source::new(api, config),
                store: Store::default(),
                mailboxes: Mutex::default(),
                phase: watch::Sender::new(Phase::Starting),
            }),
        }
    }

    /// Adds an index, unless one of that name exists; may be called at any time.
    pub fn add_index(
        &self,
        name: &'static str,
        extract: impl Fn(&K) -> Vec<String> + Send + Sync + 'static,
    ) {
        self.shared.store.write().add_index(name, Arc::new(extract));
    }

    /// The cache.
    pub fn store(&self) -> Store<K> {
        self.shared.store.clone()
    }

    /// Everything that exists as [`Event::Added`], then all changes. An event is delivered after
    /// the store shows it. Ends when the informer stops.
    pub fn subscribe(&self) -> Subscription<K> {
        // The table's lock orders this against the writer: no change falls between.
        let table = self.shared.store.read();
        let mailbox = Arc::new(Mailbox::default());
        for (key, object) in table.iter() {
            mailbox.put(key, None, Some(object.clone()));
        }
        if *self.shared.phase.borrow() == Phase::Stopped {
            mailbox.close();
        }
        self.shared.mailboxes().push(Arc::downgrade(&mailbox));
        Subscription::new(mailbox)
    }

    /// Whether the first list has arrived.
    pub fn is_synced(&self) -> bool {
        *self.shared.phase.borrow() == Phase::Synced
    }

    /// Returns once the first list has arrived (or the informer has stopped).
    pub async fn synced(&self) {
        let mut phase = self.shared.phase.subscribe();
        // The sender lives in `self`, so this can't fail.
        let _ = phase.wait_for(|phase| *phase != Phase::Starting).await;
    }

    /// Feeds the cache until cancelled. Run it once per informer.
    pub async fn run(&self, cancel: CancellationToken) {
        let shared = &self.shared;
        shared.source.run(&mut Writer(shared), cancel).await;
        let _table = shared.store.write();
        shared.phase.send_replace(Phase::Stopped);
        for mailbox in shared.mailboxes().drain(..) {
            if let Some(mailbox) = mailbox.upgrade() {
                mailbox.close();
            }
        }
    }
}

impl<K> Shared<K> {
    fn mailboxes(&self) -> MutexGuard<'_, Vec<Weak<Mailbox<K>>>> {
        self.mailboxes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells every subscriber; forgets those that are gone.
    fn publish(&self, key: &Arc<Key>, old: Option<Arc<K>>, new: Option<Arc<K>>) {
        self.mailboxes().retain(|mailbox| {
            let Some(mailbox) = mailbox.upgrade() else {
                return false;
            };
            mailbox.put(key, old.clone(), new.clone());
            true
        });
    }
}

/// The informer's writing side: holds the table's lock over change and publication, so that every
/// subscriber sees the same order.
struct Writer<'a, K>(&'a Shared<K>);

impl<K: Watched> Writer<'_, K> {
    fn put(&self, table: &mut Table<K>, object: K) {
        let key = Key::of(&object);
        if table.get(&key).is_some_and(|old| is_same(&**old, &object)) {
            return;
        }
        let object = Arc::new(object);
        let (key, old) = table.insert(key, object.clone());
        self.0.publish(&key, old, Some(object));
    }

    fn take(&self, table: &mut Table<K>, key: &Key, last: Option<K>) {
        if let Some((key, old)) = table.remove(key) {
            let last = last.map_or(old, Arc::new);
            self.0.publish(&key, Some(last), None);
        }
    }
}

impl<K: Watched> Sink<K> for Writer<'_, K> {
    fn replace(&mut self, objects: Vec<K>, rv: &str) {
        let mut table = self.0.store.write();
        let kept: BTreeSet<Key> = objects.iter().map(Key::of).collect();
        let keys = table.iter().map(|(key, _)| key);
        let gone: Vec<Arc<Key>> = keys.filter(|key| !kept.contains(*key)).cloned().collect();
        for key in gone {
            self.take(&mut table, &key, None);
        }
        for object in objects {
            self.put(&mut table, object);
        }
        table.note_revision(Some(rv));
        self.0.phase.send_replace(Phase::Synced);
    }

    fn apply(&mut self, object: K) {
        let mut table = self.0.store.write();
        table.note_revision(object.meta().resource_version.as_deref());
        self.put(&mut table, object);
    }

    fn delete(&mut self, object: K) {
        let mut table = self.0.store.write();
        table.note_revision(object.meta().resource_version.as_deref());
        self.take(&mut table, &Key::of(&object), Some(object));
    }

    fn bookmark(&mut self, rv: &str) {
        self.0.store.write().note_revision(Some(rv));
    }
}

/// A list repeats what the cache holds already; only another revision is news.
fn is_same<K: kube::Resource>(old: &K, new: &K) -> bool {
    let (old, new) = (old.meta(), new.meta());
    new.resource_version.is_some()
        && old.resource_version == new.resource_version
        && old.uid == new.uid
}
