//! What has been promised to pods and may not be visible yet.
//!
//! A promise is a claim or a volume as it will be. It holds until the pod has it or gives it back; and once the cluster
//! shows that the object has changed since, be it as promised or not, that counts instead.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use k8s_apimachinery::volume::binding::{self, SELECTED_NODE};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_runtime::Object;

use super::find::Decision;

/// The objects to write for a pod.
#[derive(Clone, Debug, Default)]
pub(super) struct Promise {
    /// Volumes that name their claims, and the claims.
    pub(super) volumes: Vec<(Arc<PersistentVolume>, Arc<PersistentVolumeClaim>)>,
    /// Claims that name their node, for a provisioner.
    pub(super) claims: Vec<Arc<PersistentVolumeClaim>>,
}

/// All promises, by the pods' uids.
#[derive(Default)]
pub(super) struct Books(Mutex<BTreeMap<String, Promise>>);

impl Books {
    /// Keeps what was decided for a pod.
    pub(super) fn promise(&self, pod: &str, decision: Decision, node: &str) {
        let mut promise = Promise::default();
        for (volume, claim) in decision.bind {
            let bound = binding::bind(&volume, &claim).map_or(volume, Arc::new);
            promise.volumes.push((bound, claim));
        }
        for claim in decision.provision {
            let mut asked = PersistentVolumeClaim::clone(&claim);
            let annotations = asked.metadata.annotations.get_or_insert_default();
            annotations.insert(SELECTED_NODE.to_owned(), node.to_owned());
            promise.claims.push(Arc::new(asked));
        }
        if !promise.volumes.is_empty() || !promise.claims.is_empty() {
            self.all().insert(pod.to_owned(), promise);
        }
    }

    /// What was promised to a pod.
    pub(super) fn promised(&self, pod: &str) -> Option<Promise> {
        self.all().get(pod).cloned()
    }

    /// The pod has it, or won't have it.
    pub(super) fn release(&self, pod: &str) {
        self.all().remove(pod);
    }

    /// A claim as it will be.
    pub(super) fn claim(&self, claim: &Arc<PersistentVolumeClaim>) -> Arc<PersistentVolumeClaim> {
        let all = self.all();
        let mut promised = all.values().flat_map(|promise| &promise.claims);
        let same = promised.find(|other| is_same(&***other, &**claim));
        same.unwrap_or(claim).clone()
    }

    /// A volume as it will be.
    pub(super) fn volume(&self, volume: &Arc<PersistentVolume>) -> Arc<PersistentVolume> {
        let all = self.all();
        let mut promised = all.values().flat_map(|promise| &promise.volumes);
        let same = promised.find(|(other, _)| is_same(&**other, &**volume));
        same.map_or(volume, |(volume, _)| volume).clone()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Promise>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A promise is about one state of an object.
fn is_same<K: Object>(promised: &K, current: &K) -> bool {
    let (promised, current) = (promised.meta(), current.meta());
    promised.name == current.name
        && promised.namespace == current.namespace
        && promised.resource_version == current.resource_version
}
