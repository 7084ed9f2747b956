//! What a round sees of a set: its pods by ordinal, the claims they have, and the revisions they are made from.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use k8s_apimachinery::pod::readiness;
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{PersistentVolumeClaim, Pod},
};

use super::{history::History, identity};

/// An immutable picture of a set and what it owns.
pub(super) struct View {
    pub(super) set: Arc<StatefulSet>,
    pub(super) history: History,
    pub(super) now: Timestamp,
    /// All pods, by ordinal.
    pods: BTreeMap<i32, Arc<Pod>>,
    /// The claims of the namespace that pods of the set name, by name.
    claims: HashMap<String, Arc<PersistentVolumeClaim>>,
}

impl View {
    pub(super) fn new(
        set: Arc<StatefulSet>,
        pods: Vec<Arc<Pod>>,
        history: History,
        claims: &[Arc<PersistentVolumeClaim>],
        now: Timestamp,
    ) -> Self {
        let numbered = pods.into_iter().filter_map(|pod| {
            let ordinal = identity::ordinal(&set, &pod)?;
            Some((ordinal, pod))
        });
        let pods: BTreeMap<_, _> = numbered.collect();
        let named = claims.iter().filter_map(|claim| {
            let name = claim.metadata.name.clone()?;
            Some((name, claim.clone()))
        });
        let has_templates = set.spec.volume_claim_templates.is_some();
        let claims = named.filter(|_| has_templates).collect();
        Self {
            set,
            history,
            now,
            pods,
            claims,
        }
    }

    /// All pods, by ordinal.
    pub(super) fn pods(&self) -> impl DoubleEndedIterator<Item = &Arc<Pod>> {
        self.pods.values()
    }

    pub(super) fn pod(&self, ordinal: i32) -> Option<&Arc<Pod>> {
        self.pods.get(&ordinal)
    }

    pub(super) fn claim(&self, name: &str) -> Option<&Arc<PersistentVolumeClaim>> {
        self.claims.get(name)
    }

    /// The ordinals that there shall be pods for.
    pub(super) fn ordinals(&self) -> std::ops::Range<i32> {
        let start = self.set.spec.ordinals.as_ref();
        let start = start.and_then(|ordinals| ordinals.start).unwrap_or(0);
        start..start.saturating_add(self.replicas())
    }

    /// The pods that there shall not be, by ordinal.
    pub(super) fn condemned(&self) -> impl DoubleEndedIterator<Item = (i32, &Arc<Pod>)> {
        let wanted = self.ordinals();
        let all = self.pods.iter().map(|(ordinal, pod)| (*ordinal, pod));
        all.filter(move |(ordinal, _)| !wanted.contains(ordinal))
    }

    pub(super) fn replicas(&self) -> i32 {
        self.set.spec.replicas.unwrap_or(1).max(0)
    }

    /// Whether each pod waits for the one before it.
    pub(super) fn is_ordered(&self) -> bool {
        self.set.spec.pod_management_policy.as_deref() != Some("Parallel")
    }

    pub(super) fn min_ready_seconds(&self) -> i32 {
        self.set.spec.min_ready_seconds.unwrap_or(0)
    }

    pub(super) fn is_ready(&self, pod: &Pod) -> bool {
        readiness::phase(pod) == "Running" && readiness::is_ready(pod)
    }

    /// Whether a pod runs, has been ready for long enough, and isn't about to go.
    pub(super) fn is_available(&self, pod: &Pod) -> bool {
        pod.metadata.deletion_timestamp.is_none()
            && self.is_ready(pod)
            && readiness::is_available(pod, self.min_ready_seconds(), self.now)
    }

    /// When a pod that is ready now will count as available, if any is waiting for that.
    pub(super) fn again(&self) -> Option<Duration> {
        let waits = self
            .pods()
            .filter_map(|pod| readiness::available_in(pod, self.min_ready_seconds(), self.now));
        let soonest = waits.filter(|wait| !wait.is_zero()).min()?;
        Some(soonest.unsigned_abs())
    }
}
