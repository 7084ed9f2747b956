//! What a controller has written but not yet seen.
//!
//! A cache lags behind its controller's own writes. A controller that creates three pods and looks
//! again at once sees none of them and would create three more. So it notes what it expects, the
//! event handlers tick it off, and until all is seen (or five minutes have passed, lest a lost
//! event stall it for ever) it only reports status.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use crate::{Clock, Key};

/// After this long an expectation no longer holds anybody up.
const TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// Creations and deletions that each controlling object waits to see. Cheap to clone.
#[derive(Clone)]
pub struct Expectations {
    pending: Arc<Mutex<BTreeMap<Key, Pending>>>,
    clock: Arc<dyn Clock>,
}

struct Pending {
    creations: i64,
    deletions: BTreeSet<String>,
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

    /// Before creating: the controller will create `count` objects for `key`.
    pub fn expect_creations(&self, key: &Key, count: usize) {
        self.change(key, |pending| {
            pending.creations = i64::try_from(count).unwrap_or(i64::MAX);
        });
    }

    /// Before deleting: the controller will delete the objects with these uids.
    pub fn expect_deletions(&self, key: &Key, uids: impl IntoIterator<Item = String>) {
        self.change(key, |pending| pending.deletions.extend(uids));
    }

    /// A creation was seen, or failed and won't be.
    pub fn creation_observed(&self, key: &Key) {
        if let Some(pending) = self.pending().get_mut(key) {
            pending.creations -= 1;
        }
    }

    /// A deletion was seen (the object is terminating or gone), or failed and won't be.
    pub fn deletion_observed(&self, key: &Key, uid: &str) {
        if let Some(pending) = self.pending().get_mut(key) {
            pending.deletions.remove(uid);
        }
    }

    /// Whether everything was seen, so that the cache can be trusted for decisions.
    pub fn is_satisfied(&self, key: &Key) -> bool {
        self.pending().get(key).is_none_or(|pending| {
            let is_fulfilled = pending.creations <= 0 && pending.deletions.is_empty();
            let age = self.clock.now().duration_since(pending.since);
            is_fulfilled || age.unsigned_abs() > TIMEOUT
        })
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, key: &Key) {
        self.pending().remove(key);
    }

    fn change(&self, key: &Key, set: impl FnOnce(&mut Pending)) {
        let since = self.clock.now();
        let mut all = self.pending();
        let pending = all.entry(key.clone()).or_insert_with(|| Pending {
            creations: 0,
            deletions: BTreeSet::new(),
            since,
        });
        pending.since = since;
        set(pending);
    }

    fn pending(&self) -> MutexGuard<'_, BTreeMap<Key, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TokioClock;

    fn expectations() -> (Expectations, Key) {
        let clock = Arc::new(TokioClock::new(Timestamp::UNIX_EPOCH));
        (Expectations::new(clock), Key::new("default", "web"))
    }

    #[tokio::test(start_paused = true)]
    async fn every_creation_must_be_seen() {
        let (expectations, key) = expectations();
        assert!(expectations.is_satisfied(&key));
        expectations.expect_creations(&key, 2);
        expectations.creation_observed(&key);
        assert!(!expectations.is_satisfied(&key));
        expectations.creation_observed(&key);
        assert!(expectations.is_satisfied(&key));
    }

    #[tokio::test(start_paused = true)]
    async fn a_deletion_seen_twice_counts_once() {
        let (expectations, key) = expectations();
        expectations.expect_deletions(&key, ["a".into(), "b".into()]);
        expectations.deletion_observed(&key, "a");
        expectations.deletion_observed(&key, "a");
        assert!(!expectations.is_satisfied(&key));
        expectations.deletion_observed(&key, "b");
        assert!(expectations.is_satisfied(&key));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_event_stalls_for_five_minutes_at_most() {
        let (expectations, key) = expectations();
        expectations.expect_creations(&key, 1);
        tokio::time::sleep(Duration::from_secs(299)).await;
        assert!(!expectations.is_satisfied(&key));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(expectations.is_satisfied(&key));
    }
}
