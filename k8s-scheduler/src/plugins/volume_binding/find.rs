//! Whether a pod can have its volumes on a node, and which.

use std::sync::Arc;

use k8s_apimachinery::{
    Quantity,
    selector::LabelSelector,
    volume::{
        binding::{self, SELECTED_NODE},
        claim::{check_made_for, claims_of},
        class,
        matching::{self, Search},
    },
};
use k8s_openapi::api::{
    core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Pod},
    storage::v1::{CSIStorageCapacity, StorageClass},
};

use super::books::Books;
use crate::{cache::Storage, framework::Verdict};

const UNREACHABLE: &str = "node(s) didn't match PersistentVolume's node affinity";
const NOTHING_TO_BIND: &str = "node(s) didn't find available persistent volumes to bind";
const NO_ROOM: &str = "node(s) did not have enough free storage";
const NO_VOLUME: &str = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)";

/// A pod's claims, as they stand or were promised.
#[derive(Debug, Default)]
pub(super) struct Claims {
    bound: Vec<Arc<PersistentVolumeClaim>>,
    /// Those that wait for this pod, smallest first.
    waiting: Vec<Arc<PersistentVolumeClaim>>,
}

impl Claims {
    /// Sorts them out. A pod whose claims aren't there, or aren't bound and don't wait for it, can't run anywhere.
    pub(super) fn of(pod: &Pod, storage: &Storage, books: &Books) -> Result<Self, Verdict> {
        let mut claims = Self::default();
        let mut is_immediate = false;
        for wanted in claims_of(pod) {
            let name = &wanted.name;
            let Some(claim) = storage.claim_of(pod, name) else {
                return Err(Verdict::unresolvable(match wanted.is_ephemeral {
                    true => format!(
                        "waiting for ephemeral volume controller to create the persistentvolumeclaim {name:?}"
                    ),
                    false => format!("persistentvolumeclaim {name:?} not found"),
                }));
            };
            check(claim).map_err(Verdict::unresolvable)?;
            if wanted.is_ephemeral {
                check_made_for(pod, claim).map_err(Verdict::unresolvable)?;
            }
            let claim = books.claim(claim);
            if binding::is_complete(&claim) {
                claims.bound.push(claim);
                continue;
            }
            let class = storage.classes.named(class::of_claim(&claim));
            let waits = class.is_some_and(|class| class::waits_for_consumer(class));
            if waits && binding::volume_name(&claim).is_none() {
                claims.waiting.push(claim);
            } else {
                is_immediate = true;
            }
        }
        if is_immediate {
            let reason = "pod has unbound immediate PersistentVolumeClaims";
            return Err(Verdict::unresolvable(reason));
        }
        claims
            .waiting
            .sort_by_key(|claim| matching::requested(claim));
        Ok(claims)
    }
}

fn check(claim: &PersistentVolumeClaim) -> Result<(), String> {
    let name = claim.metadata.name.as_deref().unwrap_or_default();
    let phase = claim
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    if phase == Some("Lost") {
        let volume = binding::volume_name(claim).unwrap_or_default();
        return Err(format!(
            "persistentvolumeclaim {name:?} bound to non-existent persistentvolume {volume:?}"
        ));
    }
    match claim.metadata.deletion_timestamp {
        Some(_) => Err(format!("persistentvolumeclaim {name:?} is being deleted")),
        None => Ok(()),
    }
}

/// What a pod's claims shall get on a node.
#[derive(Debug, Default)]
pub(super) struct Decision {
    /// Volumes that there are, for these claims.
    pub(super) bind: Vec<(Arc<PersistentVolume>, Arc<PersistentVolumeClaim>)>,
    /// Claims for which a volume is to be made.
    pub(super) provision: Vec<Arc<PersistentVolumeClaim>>,
}

/// A pod's claims with the volumes that come into question, to be asked about each node.
pub(super) struct Prepared<'a> {
    claims: Claims,
    /// For each waiting claim, those of its class that nobody else has.
    candidates: Vec<Vec<Arc<PersistentVolume>>>,
    storage: &'a Storage,
}

impl<'a> Prepared<'a> {
    pub(super) fn empty(storage: &'a Storage) -> Self {
        Self {
            claims: Claims::default(),
            candidates: Vec::new(),
            storage,
        }
    }

    pub(super) fn new(claims: Claims, storage: &'a Storage, books: &Books) -> Self {
        let candidates = claims.waiting.iter().map(|claim| {
            let volumes = storage.volumes.iter();
            let of_class =
                volumes.filter(|volume| class::of_volume(volume) == class::of_claim(claim));
            let promised = of_class.map(|volume| books.volume(volume));
            promised
                .filter(|volume| {
                    binding::claim_ref(volume).is_none() || binding::is_for(volume, claim)
                })
                .collect()
        });
        Self {
            candidates: candidates.collect(),
            claims,
            storage,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.claims.bound.is_empty() && self.claims.waiting.is_empty()
    }

    /// What the pod would get on a node, or why nothing.
    pub(super) fn find(&self, node: &Node) -> Result<Decision, Verdict> {
        let mut reasons: Vec<&str> = self.check_bound(node).into_iter().collect();
        let mut decision = Decision::default();
        if let Some(reason) = self.find_waiting(node, &mut decision)? {
            // In Kubernetes' order, what there isn't comes last.
            let last = reasons.iter().position(|reason| *reason == NO_VOLUME);
            reasons.insert(last.unwrap_or(reasons.len()), reason);
        }
        match reasons.is_empty() {
            true => Ok(decision),
            false => Err(Verdict::UnschedulableUnresolvable {
                reasons: reasons.into_iter().map(str::to_owned).collect(),
            }),
        }
    }

    fn check_bound(&self, node: &Node) -> Option<&'static str> {
        for claim in &self.claims.bound {
            let name = binding::volume_name(claim).unwrap_or_default();
            match self.storage.volumes.named(name) {
                None => return Some(NO_VOLUME),
                Some(volume) if !binding::is_reachable(volume, node) => return Some(UNREACHABLE),
                Some(_) => {}
            }
        }
        None
    }

    fn find_waiting(
        &self,
        node: &Node,
        decision: &mut Decision,
    ) -> Result<Option<&'static str>, Verdict> {
        let name = node.metadata.name.as_deref();
        for (claim, candidates) in self.claims.waiting.iter().zip(&self.candidates) {
            if let Some(selected) = binding::annotation(claim, SELECTED_NODE) {
                if Some(selected) != name {
                    return Ok(Some(NOTHING_TO_BIND));
                }
                decision.provision.push(claim.clone());
                continue;
            }
            let chosen = &decision.bind;
            let is_free = |volume: &&Arc<PersistentVolume>| {
                let mut chosen = chosen.iter();
                !chosen.any(|(other, _)| Arc::ptr_eq(other, volume))
            };
            let free = candidates.iter().filter(is_free);
            match matching::best(claim, free, Search::On(node)) {
                Some(volume) => decision.bind.push((volume.clone(), claim.clone())),
                None => decision.provision.push(claim.clone()),
            }
        }
        for claim in &decision.provision {
            if let Some(reason) = self.check_provision(claim, node)? {
                return Ok(Some(reason));
            }
        }
        Ok(None)
    }

    /// Why no volume can be made for a claim within reach of a node.
    fn check_provision(
        &self,
        claim: &PersistentVolumeClaim,
        node: &Node,
    ) -> Result<Option<&'static str>, Verdict> {
        let name = class::of_claim(claim);
        let class = self.storage.classes.named(name);
        let class = class
            .ok_or_else(|| Verdict::Error(format!("failed to find storage class {name:?}")))?;
        let terms = class.allowed_topologies.as_deref().unwrap_or_default();
        let is_by_hand = matches!(class.provisioner.as_str(), "" | class::NO_PROVISIONER);
        if is_by_hand || !class::allows(terms, node) {
            return Ok(Some(NOTHING_TO_BIND));
        }
        Ok((!self.has_room(claim, class, node)).then_some(NO_ROOM))
    }

    /// Whether a driver that tells how much room it has has enough.
    fn has_room(&self, claim: &PersistentVolumeClaim, class: &StorageClass, node: &Node) -> bool {
        let driver = self.storage.csi_drivers.named(&class.provisioner);
        let tells = driver.is_some_and(|driver| driver.spec.storage_capacity == Some(true));
        let size = matching::requested(claim);
        let mut capacities = self.storage.capacities.iter();
        !tells
            || size.is_zero()
            || capacities.any(|capacity| {
                Some(&capacity.storage_class_name) == class.metadata.name.as_ref()
                    && limit(capacity).is_some_and(|limit| limit >= size)
                    && is_near(capacity, node)
            })
    }
}

fn limit(capacity: &CSIStorageCapacity) -> Option<Quantity> {
    let limit = capacity
        .maximum_volume_size
        .as_ref()
        .or(capacity.capacity.as_ref());
    limit?.0.parse().ok()
}

fn is_near(capacity: &CSIStorageCapacity, node: &Node) -> bool {
    let label = |key: &str| node.metadata.labels.as_ref()?.get(key).map(String::as_str);
    LabelSelector::from_type(capacity.node_topology.as_ref())
        .is_ok_and(|selector| selector.matches(label))
}
