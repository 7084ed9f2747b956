//! The pods that want a node: those that are next, those that back off, and those that wait for the
//! cluster to change.
//!
//! A plain value: the loop that owns it says what time it is.

mod queued;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use k8s_runtime::Key;
use tokio::time::Instant;

use crate::{
    cache::PodInfo,
    framework::{Change, ClusterEvent, Plugin, PreEnqueuePlugin, QueueSortPlugin},
};
pub use queued::QueuedPod;
use queued::Ranked;

/// How long a pod waits after its first failed attempt; each further one doubles it.
pub const INITIAL_BACKOFF: Duration = Duration::from_secs(1);
/// The longest that a pod backs off.
pub const MAX_BACKOFF: Duration = Duration::from_secs(10);
/// A pod is tried again after so long even if nothing happened.
pub const MAX_UNSCHEDULABLE: Duration = Duration::from_secs(5 * 60);

/// The queue of one scheduler.
pub struct Queue {
    sort: Option<Arc<dyn QueueSortPlugin>>,
    gates: Vec<Arc<dyn PreEnqueuePlugin>>,
    plugins: Vec<Arc<dyn Plugin>>,
    pods: HashMap<Key, Held>,
    active: BTreeSet<Ranked>,
    backoff: BTreeMap<(Instant, u64), Key>,
    unschedulable: BTreeMap<(Instant, u64), Key>,
    /// Changes since the oldest pod in flight was taken, so that none is missed.
    changes: Vec<(u64, Change)>,
    in_flight: BTreeSet<u64>,
    sequence: u64,
}

struct Held {
    pod: QueuedPod,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Active,
    Backoff {
        until: Instant,
    },
    Unschedulable {
        since: Instant,
    },
    Gated,
    /// Taken; events after this sequence number count when it comes back.
    InFlight {
        since: u64,
    },
}

/// Why a pod comes back.
#[derive(Clone, Debug)]
pub enum Return {
    /// These plugins turned it away: it waits for an event of theirs.
    Rejected(BTreeSet<&'static str>),
    /// Something failed: it is tried again after its back-off.
    Failed,
}

impl Queue {
    /// An empty queue with the profiles' plugins.
    pub fn new(
        sort: Option<Arc<dyn QueueSortPlugin>>,
        gates: Vec<Arc<dyn PreEnqueuePlugin>>,
        plugins: Vec<Arc<dyn Plugin>>,
    ) -> Self {
        Self {
            sort,
            gates,
            plugins,
            pods: HashMap::new(),
            active: BTreeSet::new(),
            backoff: BTreeMap::new(),
            unschedulable: BTreeMap::new(),
            changes: Vec::new(),
            in_flight: BTreeSet::new(),
            sequence: 0,
        }
    }

    /// A pod without a node appeared or changed. A change of the pod itself gives it a new chance.
    pub fn set(&mut self, info: PodInfo, now: Instant) {
        let info = Arc::new(info);
        let Some(held) = self.pods.get_mut(&info.key) else {
            let pod = QueuedPod::new(info, self.next_sequence(), now);
            return self.admit(pod, now);
        };
        // Its next attempt will see the new state.
        if let Place::InFlight { .. } | Place::Backoff { .. } = held.place {
            held.pod.info = info;
            return;
        }
        let is_news = differs(&held.pod.info, &info);
        let Some(mut held) = self.take_out(&info.key) else {
            return;
        };
        held.pod.info = info;
        match is_news {
            true => self.admit(held.pod, now),
            false => self.insert(held.pod, held.place),
        }
    }

    /// A pod is gone, or has a node.
    pub fn remove(&mut self, key: &Key) {
        self.take_out(key);
    }

    /// Takes the next pod. It stays known until [`done`](Self::done) or
    /// [`give_back`](Self::give_back).
    pub fn pop(&mut self, now: Instant) -> Option<QueuedPod> {
        self.flush(now);
        let key = self.active.pop_first()?.pod.info.key.clone();
        let since = self.next_sequence();
        self.in_flight.insert(since);
        let held = self.pods.get_mut(&key).expect("active pods are held");
        held.place = Place::InFlight { since };
        held.pod.attempts += 1;
        Some(held.pod.clone())
    }

    /// A pod in flight has got its node.
    pub fn done(&mut self, key: &Key) {
        if matches!(self.place(key), Some(Place::InFlight { .. })) {
            self.take_out(key);
        }
    }

    /// A pod in flight has got no node.
    pub fn give_back(&mut self, key: &Key, why: Return, now: Instant) {
        let Some(Place::InFlight { since }) = self.place(key) else {
            return; // It is gone, or is another pod by now.
        };
        let Some(mut held) = self.take_out_noting(key, since) else {
            return;
        };
        held.0.queued_at = now;
        let missed = match why {
            Return::Failed => {
                held.0.rejected_by.clear();
                true
            }
            Return::Rejected(plugins) => {
                held.0.rejected_by = plugins;
                held.1.iter().any(|change| self.may_help(change, &held.0))
            }
        };
        match missed {
            true => self.wait(held.0, now),
            false => self.insert(held.0, Place::Unschedulable { since: now }),
        }
    }

    /// Something happened in the cluster: pods that it may help are tried again.
    pub fn moved(&mut self, change: &Change, now: Instant) {
        if !self.in_flight.is_empty() {
            let at = self.next_sequence();
            self.changes.push((at, change.clone()));
        }
        let waiting = self.unschedulable.values();
        let helped: Vec<_> = waiting
            .filter(|key| self.may_help(change, &self.pods[*key].pod))
            .cloned()
            .collect();
        for key in helped {
            if let Some(held) = self.take_out(&key) {
                self.wait(held.pod, now);
            }
        }
    }

    /// When [`pop`](Self::pop) may have something that it hasn't now.
    pub fn next_due(&self) -> Option<Instant> {
        let backoff = self.backoff.keys().next().map(|(until, _)| *until);
        let stale = self
            .unschedulable
            .keys()
            .next()
            .map(|(since, _)| *since + MAX_UNSCHEDULABLE);
        backoff.into_iter().chain(stale).min()
    }

    /// Whether a pod of this name is known, in whatever state.
    pub fn contains(&self, key: &Key) -> bool {
        self.pods.contains_key(key)
    }

    /// How many pods are ready to be popped.
    pub fn active(&self) -> usize {
        self.active.len()
    }

    /// How many pods are known, in whatever state.
    pub fn len(&self) -> usize {
        self.pods.len()
    }

    /// Whether no pod is known.
    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
    }

    /// Moves what is due: back-offs that are over, and pods that have waited five minutes.
    fn flush(&mut self, now: Instant) {
        while let Some(entry) = self.backoff.first_entry().filter(|e| e.key().0 <= now) {
            let key = entry.get().clone();
            let held = self.take_out(&key).expect("pods that back off are held");
            self.insert(held.pod, Place::Active);
        }
        while let Some(entry) = self
            .unschedulable
            .first_entry()
            .filter(|e| e.key().0 + MAX_UNSCHEDULABLE <= now)
        {
            let key = entry.get().clone();
            let held = self.take_out(&key).expect("waiting pods are held");
            self.wait(held.pod, now);
        }
    }

    /// Queues a new or changed pod, unless it is gated.
    fn admit(&mut self, mut pod: QueuedPod, now: Instant) {
        pod.queued_at = now;
        let is_open = self
            .gates
            .iter()
            .all(|gate| gate.pre_enqueue(&pod.info).is_success());
        self.insert(pod, if is_open { Place::Active } else { Place::Gated });
    }

    /// Queues a pod as soon as its back-off is over.
    fn wait(&mut self, pod: QueuedPod, now: Instant) {
        let until = pod.queued_at + backoff(pod.attempts);
        let place = match until <= now {
            true => Place::Active,
            false => Place::Backoff { until },
        };
        self.insert(pod, place);
    }

    fn insert(&mut self, pod: QueuedPod, place: Place) {
        let (key, sequence) = (pod.info.key.clone(), pod.sequence);
        match place {
            Place::Active => drop(self.active.insert(self.rank(&pod))),
            Place::Backoff { until } => drop(self.backoff.insert((until, sequence), key.clone())),
            Place::Unschedulable { since } => {
                self.unschedulable.insert((since, sequence), key.clone());
            }
            Place::Gated | Place::InFlight { .. } => {}
        }
        self.pods.insert(key, Held { pod, place });
    }

    fn take_out(&mut self, key: &Key) -> Option<Held> {
        let held = self.pods.remove(key)?;
        let sequence = held.pod.sequence;
        match held.place {
            Place::Active => drop(self.active.remove(&self.rank(&held.pod))),
            Place::Backoff { until } => drop(self.backoff.remove(&(until, sequence))),
            Place::Unschedulable { since } => drop(self.unschedulable.remove(&(since, sequence))),
            Place::Gated => {}
            Place::InFlight { since } => {
                self.in_flight.remove(&since);
                let oldest = self.in_flight.first().copied();
                self.changes
                    .retain(|(at, _)| oldest.is_some_and(|oldest| *at > oldest));
            }
        }
        Some(held)
    }

    /// Takes out a pod in flight, with the changes that happened meanwhile.
    fn take_out_noting(&mut self, key: &Key, since: u64) -> Option<(QueuedPod, Vec<Change>)> {
        let missed = self.changes.iter().filter(|(at, _)| *at > since);
        let missed = missed.map(|(_, change)| change.clone()).collect();
        Some((self.take_out(key)?.pod, missed))
    }

    fn may_help(&self, change: &Change, pod: &QueuedPod) -> bool {
        if pod.rejected_by.is_empty() {
            // There was no node to reject it.
            return change.event == ClusterEvent::NodeAdded;
        }
        let mut plugins = self.plugins.iter();
        plugins.any(|plugin| {
            pod.rejected_by.contains(plugin.name())
                && plugin.events().contains(&change.event)
                && plugin.may_help(change, &pod.info)
        })
    }

    fn place(&self, key: &Key) -> Option<Place> {
        self.pods.get(key).map(|held| held.place)
    }

    fn rank(&self, pod: &QueuedPod) -> Ranked {
        Ranked {
            pod: pod.clone(),
            sort: self.sort.clone(),
        }
    }

    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}

/// Whether a pod changed in what decides where it may run; its status doesn't.
fn differs(old: &PodInfo, new: &PodInfo) -> bool {
    old.pod.spec != new.pod.spec || old.pod.metadata.labels != new.pod.metadata.labels
}

/// 1 s, 2 s, 4 s, 8 s, 10 s, 10 s, ...
fn backoff(attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    INITIAL_BACKOFF
        .saturating_mul(1 << doublings)
        .min(MAX_BACKOFF)
}
