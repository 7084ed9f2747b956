//! Who owns a pod's claims: nobody, when they are to be kept; else the set, or a pod that is to go.

use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{PersistentVolumeClaim, Pod},
    },
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};

use super::{identity, view::View};
use crate::claim;

/// What the policy says, for when the set is deleted and for when it shrinks.
fn deletes(set: &StatefulSet) -> (bool, bool) {
    let policy = set.spec.persistent_volume_claim_retention_policy.as_ref();
    let is_delete = |word: Option<&String>| word.is_some_and(|word| word == "Delete");
    (
        is_delete(policy.and_then(|policy| policy.when_deleted.as_ref())),
        is_delete(policy.and_then(|policy| policy.when_scaled.as_ref())),
    )
}

/// The claims of a pod that there are and whose owner is to change, changed. Claims that somebody else controls are left
/// alone.
pub(super) fn misowned(view: &View, pod: &Pod, ordinal: i32) -> Vec<PersistentVolumeClaim> {
    let names = identity::claims(&view.set, ordinal).into_iter();
    let names = names.filter_map(|claim| claim.metadata.name);
    let existing = names.filter_map(|name| view.claim(&name).cloned());
    let changed = existing.filter_map(|claim| {
        let is_ours = |owner: &OwnerReference| {
            let uid = Some(&owner.uid);
            uid == view.set.metadata.uid.as_ref() || uid == pod.metadata.uid.as_ref()
        };
        let wanted = owner(view, pod, ordinal);
        let owners = claim.metadata.owner_references.clone().unwrap_or_default();
        if owners
            .iter()
            .any(|owner| owner.controller == Some(true) && !is_ours(owner))
        {
            return None;
        }
        let ours: Vec<_> = owners.iter().filter(|owner| is_ours(owner)).collect();
        let uids = |owners: &[&OwnerReference]| {
            owners
                .iter()
                .map(|owner| owner.uid.clone())
                .collect::<Vec<_>>()
        };
        if uids(&ours) == uids(&wanted.iter().collect::<Vec<_>>()) {
            return None;
        }
        let mut after = PersistentVolumeClaim::clone(&claim);
        let others = owners.iter().filter(|owner| !is_ours(owner)).cloned();
        after.metadata.owner_references = Some(others.chain(wanted).collect());
        Some(after)
    });
    changed.collect()
}

/// The claims of a pod that aren't there, as they are to be made.
pub(super) fn missing(view: &View, pod: &Pod, ordinal: i32) -> Vec<PersistentVolumeClaim> {
    let claims = identity::claims(&view.set, ordinal).into_iter();
    let missing = claims.filter(|claim| {
        let name = claim.metadata.name.as_deref().unwrap_or_default();
        view.claim(name).is_none()
    });
    missing
        .map(|mut claim| {
            let owner = owner(view, pod, ordinal);
            claim.metadata.owner_references = owner.map(|owner| vec![owner]);
            claim
        })
        .collect()
}

/// Whether a claim of a pod that is to be made still belongs to an earlier pod of that name, and goes with it.
pub(super) fn is_stale(view: &View, ordinal: i32) -> bool {
    let (_, when_scaled) = deletes(&view.set);
    let pod = identity::pod_name(&view.set, ordinal);
    let names = identity::claims(&view.set, ordinal).into_iter();
    let mut names = names.filter_map(|claim| claim.metadata.name);
    when_scaled
        && names.any(|name| {
            let claim = view.claim(&name);
            let owners = claim.and_then(|claim| claim.metadata.owner_references.as_ref());
            let mut owners = owners.into_iter().flatten();
            owners.any(|owner| owner.kind == "Pod" && owner.name == pod)
        })
}

fn owner(view: &View, pod: &Pod, ordinal: i32) -> Option<OwnerReference> {
    let (when_deleted, when_scaled) = deletes(&view.set);
    let is_condemned = !view.ordinals().contains(&ordinal);
    if when_scaled && is_condemned {
        return Some(claim::controller_reference(pod));
    }
    when_deleted.then(|| claim::controller_reference(&*view.set))
}
