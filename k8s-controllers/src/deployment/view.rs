//! What a Deployment's plan is made from: itself, its ReplicaSets, and whether old pods still run.

use std::sync::Arc;

use k8s_apimachinery::pod::readiness;
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::Pod,
};
use k8s_runtime::{Store, index};

use super::{size::Size, template};

/// An immutable picture of a Deployment and all that it owns.
pub(super) struct View {
    pub(super) deployment: Arc<Deployment>,
    /// The set that stands for the current template, if it exists.
    pub(super) new: Option<Arc<ReplicaSet>>,
    /// All others, oldest first.
    pub(super) old: Vec<Arc<ReplicaSet>>,
    /// Whether a pod of an old set hasn't ended yet.
    pub(super) has_old_pods: bool,
}

impl View {
    /// Sorts the sets that a Deployment owns into the new one and the old ones.
    pub(super) fn new(
        deployment: Arc<Deployment>,
        mut sets: Vec<Arc<ReplicaSet>>,
        pods: &Store<Pod>,
    ) -> Self {
        sets.sort_by_key(|set| {
            let meta = &set.metadata;
            (meta.creation_timestamp.clone(), meta.name.clone())
        });
        let wanted = &deployment.spec.template;
        // Of several equal ones the oldest counts, so that all rounds choose the same.
        let position = sets.iter().position(|set| template::is_of(set, wanted));
        let new = position.map(|position| sets.remove(position));
        let has_old_pods = sets.iter().any(|set| has_pods(set, pods));
        Self {
            deployment,
            new,
            old: sets,
            has_old_pods,
        }
    }

    /// All sets, the new one last.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<ReplicaSet>> {
        self.old.iter().chain(&self.new)
    }

    pub(super) fn old_sizes(&self) -> Vec<Size> {
        self.old.iter().map(|set| Size::of(set)).collect()
    }
}

fn has_pods(set: &ReplicaSet, pods: &Store<Pod>) -> bool {
    let uid = set.metadata.uid.as_deref().unwrap_or_default();
    let owned = pods.by_index(index::BY_OWNER, uid);
    owned.iter().any(|pod| !readiness::is_terminal(pod))
}
