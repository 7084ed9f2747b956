//! What a controller has written but doesn't see yet.
//!
//! A cache lags behind its controller's own writes. A controller that creates three pods and looks
//! again at once sees none of them and would create three more. So it notes what it wrote, and
//! decides nothing until its store shows it. Revisions make that exact: a store at revision N shows
//! every write up to N. Each change in the store is followed by an event, which brings the
//! controller back.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use kube::Resource;

use crate::{Clock, Key, Store};

/// After this long an expectation no longer holds anybody up.
const TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// Per controlling object, the creations and deletions that it waits to see. Cheap to clone.
#[derive(Clone)]
pub struct Expectations {
    pending: Arc<Mutex<BTreeMap<Key, Pending>>>,
    clock: Arc<dyn Clock>,
}

struct Pending {
    revision: u64,
    /// Name and uid of what was deleted.
    deleted: BTreeMap<Key, Option<String>>,
    since: Timestamp,
}

impl Expectations {
    /// Nothing is expected yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            pending: Arc::default(),
            clock,
        }
    }

    /// The controlling object `key` led to this write, as the API returned it.
    pub fn written<K: Resource>(&self, key: &Key, object: &K) {
        let rv = object.meta().resource_version.as_deref();
        let revision = rv.and_then(|rv| rv.parse().ok()).unwrap_or(0);
        self.change(key, |pending| {
            pending.revision = pending.revision.max(revision);
        });
    }

    /// The controlling object `key` led to the deletion of this one.
    pub fn deleted<K: Resource>(&self, key: &Key, object: &K) {
        self.change(key, |pending| {
            let uid = object.meta().uid.clone();
            pending.deleted.insert(Key::of(object), uid);
        });
    }

    /// Whether the store shows all that was written for `key`, so that it can be decided on.
    /// Nothing holds up for more than five minutes, lest a lost event stall a controller for ever.
    pub fn is_satisfied<K: Resource>(&self, key: &Key, store: &Store<K>) -> bool {
        let mut all = self.pending();
        let Some(pending) = all.get_mut(key) else {
            return true;
        };
        let age = self.clock.now().duration_since(pending.since);
        pending.deleted.retain(|object, uid| {
            store.get(object).is_some_and(|object| {
                let meta = object.meta();
                meta.uid == *uid && meta.deletion_timestamp.is_none()
            })
        });
        let is_seen = pending.deleted.is_empty() && store.revision() >= pending.revision;
        let is_over = is_seen || age.unsigned_abs() > TIMEOUT;
        if is_over {
            all.remove(key);
        }
        is_over
    }

    /// Forgets a controlling object that is gone.
    pub fn forget(&self, key: &Key) {
        self.pending().remove(key);
    }

    fn change(&self, key: &Key, change: impl FnOnce(&mut Pending)) {
        let since = self.clock.now();
        let mut all = self.pending();
        let pending = all.entry(key.clone()).or_insert_with(|| Pending {
            revision: 0,
            deleted: BTreeMap::new(),
            since,
        });
        pending.since = since;
        change(pending);
    }

    fn pending(&self) -> MutexGuard<'_, BTreeMap<Key, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Time};

    use super::*;
    use crate::TokioClock;

    fn setup() -> (Expectations, Key, Store<Pod>) {
        let clock = Arc::new(TokioClock::new(Timestamp::UNIX_EPOCH));
        let key = Key::new("default", "web");
        (Expectations::new(clock), key, Store::default())
    }

    fn pod(name: &str, rv: u64) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.name = Some(name.into());
        pod.metadata.uid = Some(format!("{name}-uid"));
        pod.metadata.resource_version = Some(rv.to_string());
        pod
    }

    fn put(store: &Store<Pod>, pod: Pod) {
        let mut table = store.write();
        table.note_revision(pod.metadata.resource_version.as_deref());
        table.insert(Key::of(&pod), Arc::new(pod));
    }

    #[tokio::test(start_paused = true)]
    async fn every_write_must_be_seen() {
        let (expectations, key, store) = setup();
        assert!(expectations.is_satisfied(&key, &store));
        expectations.written(&key, &pod("a", 7));
        expectations.written(&key, &pod("b", 6));
        put(&store, pod("b", 6));
        assert!(!expectations.is_satisfied(&key, &store));
        put(&store, pod("a", 7));
        assert!(expectations.is_satisfied(&key, &store));
    }

    #[tokio::test(start_paused = true)]
    async fn a_deletion_is_seen_once_the_object_terminates_or_is_gone() {
        let (expectations, key, store) = setup();
        for name in ["a", "b"] {
            put(&store, pod(name, 1));
            expectations.deleted(&key, &pod(name, 1));
        }
        let mut terminating = pod("a", 2);
        terminating.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        put(&store, terminating);
        assert!(!expectations.is_satisfied(&key, &store));
        store.write().remove(&Key::cluster("b"));
        assert!(expectations.is_satisfied(&key, &store));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_event_stalls_for_five_minutes_at_most() {
        let (expectations, key, store) = setup();
        expectations.written(&key, &pod("a", 1));
        tokio::time::sleep(Duration::from_secs(299)).await;
        assert!(!expectations.is_satisfied(&key, &store));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(expectations.is_satisfied(&key, &store));
    }
}
