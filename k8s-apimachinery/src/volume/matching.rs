//! Which volume suits a claim.
//!
//! The binder looks without a node; the scheduler, which binds the claims that wait for their first pod, looks for one
//! that the pod's node can reach.

use k8s_openapi::api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim};

use super::{binding, class};
use crate::{Quantity, selector::LabelSelector};

/// Who looks, and with which eyes.
#[derive(Clone, Copy, Debug)]
pub enum Search<'a> {
    /// The binder, for claims that take any volume at once.
    Immediate,
    /// The binder, for claims that wait: only what was bound to them beforehand will do.
    Prebound,
    /// The scheduler, for a pod on this node.
    On(&'a Node),
}

/// The best volume for a claim: one that is bound to it beforehand, else the smallest that is large enough. The binder
/// looks among those with the fewest access modes first.
pub fn best<'a, V: AsRef<PersistentVolume>>(
    claim: &PersistentVolumeClaim,
    volumes: impl IntoIterator<Item = &'a V>,
    search: Search<'_>,
) -> Option<&'a V> {
    let wanted = requested(claim);
    let mut best: Option<(&V, (usize, Quantity))> = None;
    for candidate in volumes {
        let volume = candidate.as_ref();
        let size = capacity(volume);
        let is_taken = binding::claim_ref(volume).is_some() && !binding::is_for(volume, claim);
        if is_taken || size < wanted || volume.metadata.deletion_timestamp.is_some() {
            continue;
        }
        if !is_same_mode(claim, volume) || attributes_class_of(claim) != attributes_class(volume) {
            continue;
        }
        let is_reachable = match search {
            Search::On(node) => binding::is_reachable(volume, node),
            Search::Immediate | Search::Prebound => true,
        };
        if binding::is_for(volume, claim) {
            return is_reachable.then_some(candidate);
        }
        let is_fit = is_reachable
            && !matches!(search, Search::Prebound)
            && phase(volume) == "Available"
            && class::of_volume(volume) == class::of_claim(claim)
            && has_modes(claim, volume)
            && is_selected(claim, volume);
        let rank = match search {
            Search::On(_) => (0, size),
            Search::Immediate | Search::Prebound => (access_modes(volume).len(), size),
        };
        if is_fit && best.as_ref().is_none_or(|(_, least)| rank < *least) {
            best = Some((candidate, rank));
        }
    }
    best.map(|(volume, _)| volume)
}

/// Why a volume that a claim names doesn't suit it, in Kubernetes' words.
pub fn check(claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> Result<(), String> {
    if volume.metadata.deletion_timestamp.is_some() {
        let name = volume.metadata.name.as_deref().unwrap_or_default();
        return Err(format!("the volume is marked for deletion {name:?}"));
    }
    let reasons = [
        (
            capacity(volume) < requested(claim),
            "requested PV is too small",
        ),
        (
            class::of_volume(volume) != class::of_claim(claim),
            "storageClassName does not match",
        ),
        (
            attributes_class_of(claim) != attributes_class(volume),
            "volumeAttributesClassName does not match",
        ),
        (!is_same_mode(claim, volume), "incompatible volumeMode"),
        (!has_modes(claim, volume), "incompatible accessMode"),
    ];
    match reasons.iter().find(|(is_so, _)| *is_so) {
        Some((_, reason)) => Err((*reason).to_owned()),
        None => Ok(()),
    }
}

/// How much a claim asks for.
pub fn requested(claim: &PersistentVolumeClaim) -> Quantity {
    let resources = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref());
    let requests = resources.and_then(|resources| resources.requests.as_ref());
    let storage = requests.and_then(|requests| requests.get("storage"));
    storage
        .and_then(|text| text.0.parse().ok())
        .unwrap_or(Quantity::ZERO)
}

/// How much a volume holds.
pub fn capacity(volume: &PersistentVolume) -> Quantity {
    let capacity = volume.spec.as_ref().and_then(|spec| spec.capacity.as_ref());
    let storage = capacity.and_then(|capacity| capacity.get("storage"));
    storage
        .and_then(|text| text.0.parse().ok())
        .unwrap_or(Quantity::ZERO)
}

/// Whether both are file systems, or both raw devices.
pub fn is_same_mode(claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> bool {
    const USUAL: &str = "Filesystem";
    let wanted = claim
        .spec
        .as_ref()
        .and_then(|spec| spec.volume_mode.as_deref());
    let given = volume
        .spec
        .as_ref()
        .and_then(|spec| spec.volume_mode.as_deref());
    wanted.unwrap_or(USUAL) == given.unwrap_or(USUAL)
}

fn phase(volume: &PersistentVolume) -> &str {
    let status = volume.status.as_ref();
    status
        .and_then(|status| status.phase.as_deref())
        .unwrap_or_default()
}

fn access_modes(volume: &PersistentVolume) -> &[String] {
    let spec = volume.spec.as_ref();
    spec.and_then(|spec| spec.access_modes.as_deref())
        .unwrap_or_default()
}

fn has_modes(claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> bool {
    let wanted = claim
        .spec
        .as_ref()
        .and_then(|spec| spec.access_modes.as_deref());
    let mut wanted = wanted.unwrap_or_default().iter();
    wanted.all(|mode| access_modes(volume).contains(mode))
}

fn attributes_class_of(claim: &PersistentVolumeClaim) -> &str {
    let spec = claim.spec.as_ref();
    let name = spec.and_then(|spec| spec.volume_attributes_class_name.as_deref());
    name.unwrap_or_default()
}

fn attributes_class(volume: &PersistentVolume) -> &str {
    let spec = volume.spec.as_ref();
    let name = spec.and_then(|spec| spec.volume_attributes_class_name.as_deref());
    name.unwrap_or_default()
}

fn is_selected(claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> bool {
    let Some(selector) = claim.spec.as_ref().and_then(|spec| spec.selector.as_ref()) else {
        return true;
    };
    let label = |key: &str| {
        volume
            .metadata
            .labels
            .as_ref()?
            .get(key)
            .map(String::as_str)
    };
    LabelSelector::from_type(Some(selector)).is_ok_and(|selector| selector.matches(label))
}

#[cfg(test)]
mod tests;
