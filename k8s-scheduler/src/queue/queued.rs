//! A pod in the queue, and its rank.

use std::{cmp::Ordering, collections::BTreeSet, fmt, sync::Arc};

use tokio::time::Instant;

use crate::{cache::PodInfo, framework::QueueSortPlugin};

/// A pod that wants a node, with its history.
#[derive(Clone, Debug)]
pub struct QueuedPod {
    /// The pod.
    pub info: Arc<PodInfo>,
    /// When it was first seen.
    pub first_seen: Instant,
    /// When it last entered the queue, or failed to get a node.
    pub queued_at: Instant,
    /// How often it has been tried.
    pub attempts: u32,
    /// The plugins that turned it away last time.
    pub rejected_by: BTreeSet<&'static str>,
    pub(super) sequence: u64,
}

impl QueuedPod {
    pub(super) fn new(info: Arc<PodInfo>, sequence: u64, now: Instant) -> Self {
        Self {
            info,
            first_seen: now,
            queued_at: now,
            attempts: 0,
            rejected_by: BTreeSet::new(),
            sequence,
        }
    }
}

/// Orders pods as the QueueSort plugin says, then by arrival.
pub(super) struct Ranked {
    pub(super) pod: QueuedPod,
    pub(super) sort: Option<Arc<dyn QueueSortPlugin>>,
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        let sorted = match &self.sort {
            Some(sort) => sort.compare(&self.pod, &other.pod),
            None => Ordering::Equal,
        };
        sorted.then_with(|| self.pod.sequence.cmp(&other.pod.sequence))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranked {}

impl fmt::Debug for Ranked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pod.fmt(f)
    }
}
