//! How a claim and a volume are bound to each other, and who did it: the annotations that binder, scheduler and
//! provisioners leave for each other.
//!
//! The volume's reference to the claim decides: it is written first, so that of two who race for a volume one loses.

use k8s_openapi::api::core::v1::{Node, ObjectReference, PersistentVolume, PersistentVolumeClaim};

use crate::pod::affinity;

/// On claims whose binding is complete.
pub const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// On claims and volumes that were bound to each other by a controller, not by a user.
pub const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
/// On claims: the node that the scheduler has chosen for the first pod.
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// On claims: who shall make the volume.
pub const STORAGE_PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
/// The same, under its name of old.
pub const STORAGE_PROVISIONER_OF_OLD: &str = "volume.beta.kubernetes.io/storage-provisioner";
/// On volumes: who made it.
pub const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";

/// An annotation of a claim.
pub fn annotation<'a>(claim: &'a PersistentVolumeClaim, name: &str) -> Option<&'a str> {
    let annotations = claim.metadata.annotations.as_ref()?;
    annotations.get(name).map(String::as_str)
}

/// The volume that a claim names, by a user's hand or a binder's.
pub fn volume_name(claim: &PersistentVolumeClaim) -> Option<&str> {
    let name = claim.spec.as_ref()?.volume_name.as_deref();
    name.filter(|name| !name.is_empty())
}

/// Whether a claim has its volume, and the binder said so.
pub fn is_complete(claim: &PersistentVolumeClaim) -> bool {
    volume_name(claim).is_some() && annotation(claim, BIND_COMPLETED).is_some()
}

/// The claim that a volume refers to.
pub fn claim_ref(volume: &PersistentVolume) -> Option<&ObjectReference> {
    volume.spec.as_ref()?.claim_ref.as_ref()
}

/// Whether a volume refers to this claim: by name, and by uid where it says one.
pub fn is_for(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    let meta = &claim.metadata;
    claim_ref(volume).is_some_and(|reference| {
        let is_same_uid = |uid: &String| uid.is_empty() || Some(uid) == meta.uid.as_ref();
        reference.name == meta.name
            && reference.namespace == meta.namespace
            && reference.uid.as_ref().is_none_or(is_same_uid)
    })
}

/// The volume with a reference to the claim, and the mark of who made it if that wasn't the user; none when it has
/// them already.
pub fn bind(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> Option<PersistentVolume> {
    let meta = &claim.metadata;
    let mut bound = volume.clone();
    let reference = claim_ref(volume);
    let is_exact = reference.is_some_and(|it| {
        it.name == meta.name && it.namespace == meta.namespace && it.uid == meta.uid
    });
    if !is_exact {
        bound.spec.get_or_insert_default().claim_ref = Some(ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("PersistentVolumeClaim".to_owned()),
            name: meta.name.clone(),
            namespace: meta.namespace.clone(),
            uid: meta.uid.clone(),
            resource_version: meta.resource_version.clone(),
            field_path: None,
        });
    }
    let mut is_changed = !is_exact;
    if !is_for(volume, claim) {
        let annotations = bound.metadata.annotations.get_or_insert_default();
        is_changed |= annotations
            .insert(BOUND_BY_CONTROLLER.to_owned(), "yes".to_owned())
            .is_none();
    }
    is_changed.then_some(bound)
}

/// Whether a volume can be reached from a node.
pub fn is_reachable(volume: &PersistentVolume, node: &Node) -> bool {
    let affinity = volume
        .spec
        .as_ref()
        .and_then(|spec| spec.node_affinity.as_ref());
    let required = affinity.and_then(|affinity| affinity.required.as_ref());
    required.is_none_or(|selector| affinity::selector_matches(selector, node))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn claim() -> PersistentVolumeClaim {
        let meta = json!({"name": "c", "namespace": "ns", "uid": "1"});
        serde_json::from_value(json!({"metadata": meta})).expect("a claim")
    }

    fn volume(reference: Value) -> PersistentVolume {
        serde_json::from_value(json!({"metadata": {"name": "v"}, "spec": {"claimRef": reference}}))
            .expect("a volume")
    }

    #[track_caller]
    fn check(reference: Value, for_it: bool, by_controller: Option<bool>) {
        let volume = volume(reference);
        assert_eq!(is_for(&volume, &claim()), for_it);
        let bound = bind(&volume, &claim());
        let mark = |bound: &PersistentVolume| {
            let annotations = bound.metadata.annotations.as_ref();
            annotations.is_some_and(|all| all.contains_key(BOUND_BY_CONTROLLER))
        };
        assert_eq!(bound.as_ref().map(mark), by_controller);
        if let Some(bound) = bound {
            assert!(is_for(&bound, &claim()));
            assert_eq!(bind(&bound, &claim()), None);
        }
    }

    #[test]
    fn only_a_reference_that_was_not_there_is_the_controllers() {
        check(Value::Null, false, Some(true));
        check(json!({"name": "c", "namespace": "ns"}), true, Some(false));
        check(
            json!({"name": "c", "namespace": "ns", "uid": "1"}),
            true,
            None,
        );
        check(
            json!({"name": "c", "namespace": "ns", "uid": "0"}),
            false,
            Some(true),
        );
        check(json!({"name": "d", "namespace": "ns"}), false, Some(true));
    }
}
