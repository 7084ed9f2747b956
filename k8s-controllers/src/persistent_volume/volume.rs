//! What to do about a volume: say what it is, give it back, or reclaim it.

use k8s_apimachinery::volume::{binding, matching};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, PersistentVolumeStatus};

use super::note::Note;

pub(super) const AVAILABLE: &str = "Available";
pub(super) const BOUND: &str = "Bound";
pub(super) const RELEASED: &str = "Released";
pub(super) const FAILED: &str = "Failed";

/// What a round does.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Say what it is.
    Phase(&'static str),
    /// Its claim doesn't name it yet: let the claim be looked at.
    Wake,
    /// It and its claim refer to each other and don't suit: a note for it and one for the claim.
    Mismatch(Note, Note),
    /// Its claim is gone, or has another volume: reclaim it.
    Release,
    /// Its claim has another volume, so it is free again.
    Unbind,
}

/// What to do now, given the claim of the name that it refers to.
pub(super) fn plan(volume: &PersistentVolume, claim: Option<&PersistentVolumeClaim>) -> Step {
    let reference = binding::claim_ref(volume);
    let uid = reference.and_then(|reference| reference.uid.as_deref());
    let Some(uid) = uid.filter(|uid| !uid.is_empty()) else {
        // Unused, or kept for a claim that takes it when it comes.
        return Step::Phase(AVAILABLE);
    };
    let claim = claim.filter(|claim| claim.metadata.uid.as_deref() == Some(uid));
    let Some(claim) = claim else {
        return Step::Release;
    };
    let name = volume.metadata.name.as_deref().unwrap_or_default();
    match binding::volume_name(claim) {
        None if !matching::is_same_mode(claim, volume) => mismatch(name, claim),
        None => Step::Wake,
        Some(theirs) if theirs == name => Step::Phase(BOUND),
        // It was made for this claim, which doesn't need it: nobody else shall have it.
        Some(_) if is_provisioned(volume) && policy(volume) == "Delete" => Step::Release,
        Some(_) => Step::Unbind,
    }
}

fn mismatch(volume: &str, claim: &PersistentVolumeClaim) -> Step {
    const REASON: &str = "VolumeMismatch";
    let claim = claim.metadata.name.as_deref().unwrap_or_default();
    let of_volume = format!(
        "Cannot bind PersistentVolume to requested PersistentVolumeClaim {claim:?} due to incompatible volumeMode."
    );
    let of_claim = format!(
        "Cannot bind PersistentVolume {volume:?} to requested PersistentVolumeClaim due to incompatible volumeMode."
    );
    Step::Mismatch(
        Note::warning(REASON, of_volume),
        Note::warning(REASON, of_claim),
    )
}

/// Why a released volume can't be reclaimed; none when there is nothing to do here. No volume is wiped or deleted in
/// this process: who made it deletes it, and one that was made by hand has nobody to.
pub(super) fn reclaim(volume: &PersistentVolume) -> Option<Note> {
    const NO_DELETER: &str = "no deletable volume plugin matched";
    let name = volume.metadata.name.as_deref().unwrap_or_default();
    match policy(volume) {
        "Retain" => None,
        "Delete" => match provisioner(volume) {
            Some(provisioner) if !provisioner.starts_with("kubernetes.io/") => None,
            Some(_) => Some(Note::warning("VolumeFailedDelete", NO_DELETER)),
            None => Some(Note::warning(
                "VolumeFailedDelete",
                format!("error getting deleter volume plugin for volume {name:?}: {NO_DELETER}"),
            )),
        },
        "Recycle" => Some(Note::warning(
            "VolumeFailedRecycle",
            "No recycler plugin found for the volume!",
        )),
        _ => Some(Note::warning(
            "VolumeUnknownReclaimPolicy",
            "Volume has unrecognized PersistentVolumeReclaimPolicy",
        )),
    }
}

/// Whether the volume is already said to be given back, or to have failed at it.
pub(super) fn is_released(volume: &PersistentVolume) -> bool {
    matches!(phase(volume), RELEASED | FAILED)
}

pub(super) fn phase(volume: &PersistentVolume) -> &str {
    let status = volume.status.as_ref();
    status
        .and_then(|status| status.phase.as_deref())
        .unwrap_or_default()
}

/// The volume with a phase; none when it has it.
pub(super) fn with_phase(
    volume: &PersistentVolume,
    phase: &str,
    message: Option<&str>,
) -> Option<PersistentVolume> {
    if self::phase(volume) == phase {
        return None;
    }
    let status = PersistentVolumeStatus {
        phase: Some(phase.to_owned()),
        message: message.map(str::to_owned),
        ..volume.status.clone().unwrap_or_default()
    };
    Some(PersistentVolume {
        status: Some(status),
        ..volume.clone()
    })
}

/// The volume without its claim. What a user reserved for a claim of that name stays reserved.
pub(super) fn unbound(volume: &PersistentVolume) -> PersistentVolume {
    let mut free = volume.clone();
    let annotations = free.metadata.annotations.as_mut();
    let is_ours = annotations.and_then(|all| all.remove(binding::BOUND_BY_CONTROLLER));
    let spec = free.spec.get_or_insert_default();
    match (is_ours, &mut spec.claim_ref) {
        (None, Some(reference)) => reference.uid = None,
        (_, reference) => *reference = None,
    }
    free
}

fn policy(volume: &PersistentVolume) -> &str {
    let spec = volume.spec.as_ref();
    let policy = spec.and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
    policy.unwrap_or("Retain")
}

fn provisioner(volume: &PersistentVolume) -> Option<&str> {
    let annotations = volume.metadata.annotations.as_ref()?;
    annotations
        .get(binding::PROVISIONED_BY)
        .map(String::as_str)
        .filter(|name| !name.is_empty())
}

fn is_provisioned(volume: &PersistentVolume) -> bool {
    provisioner(volume).is_some()
}

#[cfg(test)]
mod tests;
