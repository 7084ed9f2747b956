//! What a ReplicaSet's plan is made from: itself and its pods.

use std::{collections::BTreeMap, sync::Arc};

use k8s_apimachinery::pod::readiness;
use k8s_openapi::api::{apps::v1::ReplicaSet, core::v1::Pod};
use k8s_runtime::{Store, index};

use crate::claim;

/// An immutable picture of a ReplicaSet and what it owns.
pub(super) struct View {
    pub(super) set: Arc<ReplicaSet>,
    /// Its pods, whatever their state.
    pub(super) pods: Vec<Arc<Pod>>,
    /// Whether the cache shows all that this controller has done: only then may it do more.
    pub(super) is_settled: bool,
    /// Active pods per node of all sets under the same controller: a node that holds many of
    /// a Deployment's pods gives one up first.
    pub(super) crowding: BTreeMap<String, usize>,
}

impl View {
    pub(super) fn new(set: Arc<ReplicaSet>, pods: Vec<Arc<Pod>>, is_settled: bool) -> Self {
        let mut view = Self {
            set,
            pods,
            is_settled,
            crowding: BTreeMap::new(),
        };
        view.crowding = count_by_node(view.pods.iter());
        view
    }

    /// Counts the pods of sibling sets, too.
    pub(super) fn with_siblings(mut self, sets: &Store<ReplicaSet>, pods: &Store<Pod>) -> Self {
        let Some(owner) = claim::controller_of(&self.set.metadata) else {
            return self;
        };
        let siblings = sets.by_index(index::BY_OWNER, &owner.uid);
        let uids = siblings
            .iter()
            .filter_map(|set| set.metadata.uid.as_deref());
        let related: Vec<_> = uids
            .flat_map(|uid| pods.by_index(index::BY_OWNER, uid))
            .collect();
        self.crowding = count_by_node(related.iter());
        self
    }

    /// The pods that count: neither ended nor being deleted.
    pub(super) fn active(&self) -> impl Iterator<Item = &Arc<Pod>> {
        self.pods.iter().filter(|pod| readiness::is_active(pod))
    }

    pub(super) fn wanted(&self) -> usize {
        let replicas = self.set.spec.replicas.unwrap_or(1);
        usize::try_from(replicas).unwrap_or(0)
    }

    pub(super) fn min_ready_seconds(&self) -> i32 {
        self.set.spec.min_ready_seconds.unwrap_or(0)
    }
}

fn count_by_node<'a>(pods: impl Iterator<Item = &'a Arc<Pod>>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for pod in pods.filter(|pod| readiness::is_active(pod)) {
        if let Some(node) = readiness::node_name(pod) {
            *counts.entry(node.to_owned()).or_default() += 1;
        }
    }
    counts
}
