//! What to make for a claim, and what to do about a volume that was made.

use std::{collections::BTreeMap, path::Path};

use k8s_apimachinery::volume::binding;
use k8s_openapi::{
    api::{
        core::v1::{
            LocalVolumeSource, Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm,
            PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimSpec,
            PersistentVolumeSpec, VolumeNodeAffinity,
        },
        storage::v1::StorageClass,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use k8s_runtime::reference;

use super::{Directories, PROVISIONER};

/// Holds a volume back from deletion until its directory is removed; as all external provisioners have it.
const FINALIZER: &str = "external-provisioner.volume.kubernetes.io/finalizer";
/// On volumes: the node whose directory it is.
const NODE: &str = "local.path.provisioner/selected-node";
const HOSTNAME: &str = "kubernetes.io/hostname";

/// What to do about a claim.
#[derive(Debug, PartialEq)]
pub(super) enum Making {
    /// It has a volume, or isn't ours.
    Nothing,
    /// What it asks for can't be had here, for this reason.
    Refuse(String),
    /// Make this volume.
    Make(Box<PersistentVolume>),
}

/// What to do about a volume.
#[derive(Debug, PartialEq)]
pub(super) enum Unmaking {
    /// It is used, kept, or isn't ours.
    Nothing,
    /// Remove the directory, then delete the object.
    Delete,
    /// The object is deleted already: remove the directory, then let it go.
    Finish,
    /// The object is deleted, but the data is to be kept.
    LetGo,
}

/// Whether a claim waits for this provisioner, and its node is chosen.
pub(super) fn is_ours(claim: &PersistentVolumeClaim) -> bool {
    binding::volume_name(claim).is_none()
        && claim.metadata.deletion_timestamp.is_none()
        && binding::annotation(claim, binding::STORAGE_PROVISIONER) == Some(PROVISIONER)
        && binding::annotation(claim, binding::SELECTED_NODE).is_some()
}

/// What to make for a claim on its node.
pub(super) fn make(
    claim: &PersistentVolumeClaim,
    class: &StorageClass,
    node: &Node,
    directories: &dyn Directories,
) -> Making {
    let Some(spec) = claim.spec.as_ref().filter(|_| is_ours(claim)) else {
        return Making::Nothing;
    };
    if let Some(reason) = refusal(spec) {
        return Making::Refuse(reason.to_owned());
    }
    let meta = &claim.metadata;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let name = format!("pvc-{}", text(&meta.uid));
    let node_name = text(&node.metadata.name);
    let directory = format!("{name}_{}_{}", text(&meta.namespace), text(&meta.name));
    let path = directories.path(&node_name, &directory);
    let resources = spec.resources.as_ref();
    Making::Make(Box::new(PersistentVolume {
        metadata: ObjectMeta {
            name: Some(name),
            annotations: Some(BTreeMap::from([
                (binding::PROVISIONED_BY.to_owned(), PROVISIONER.to_owned()),
                (NODE.to_owned(), node_name),
            ])),
            finalizers: Some(vec![FINALIZER.to_owned()]),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeSpec {
            access_modes: spec.access_modes.clone(),
            capacity: resources.and_then(|resources| resources.requests.clone()),
            claim_ref: Some(reference(claim)),
            local: Some(LocalVolumeSource {
                path: path.display().to_string(),
                fs_type: None,
            }),
            mount_options: class.mount_options.clone(),
            node_affinity: Some(only_on(node)),
            persistent_volume_reclaim_policy: class.reclaim_policy.clone(),
            storage_class_name: class.metadata.name.clone(),
            volume_mode: spec.volume_mode.clone(),
            ..PersistentVolumeSpec::default()
        }),
        status: None,
    }))
}

/// Why a directory of a node won't do.
fn refusal(spec: &PersistentVolumeClaimSpec) -> Option<&'static str> {
    const MODES: [&str; 2] = ["ReadWriteOnce", "ReadWriteOncePod"];
    let mut modes = spec.access_modes.iter().flatten();
    if modes.any(|mode| !MODES.contains(&mode.as_str())) {
        return Some("only the access modes ReadWriteOnce and ReadWriteOncePod are supported");
    }
    if spec.volume_mode.as_deref() == Some("Block") {
        return Some("block volumes are not supported");
    }
    if spec.selector.is_some() {
        return Some("claim.Spec.Selector is not supported");
    }
    let has_source = spec.data_source.is_some() || spec.data_source_ref.is_some();
    has_source.then_some("data sources are not supported")
}

fn only_on(node: &Node) -> VolumeNodeAffinity {
    let labels = node.metadata.labels.as_ref();
    let host = labels.and_then(|labels| labels.get(HOSTNAME));
    let host = host.or(node.metadata.name.as_ref()).cloned();
    let requirement = NodeSelectorRequirement {
        key: HOSTNAME.to_owned(),
        operator: "In".to_owned(),
        values: Some(host.into_iter().collect()),
    };
    let term = NodeSelectorTerm {
        match_expressions: Some(vec![requirement]),
        match_fields: None,
    };
    let required = NodeSelector {
        node_selector_terms: vec![term],
    };
    VolumeNodeAffinity {
        required: Some(required),
    }
}

/// The node and the path of a volume that was made here; empty of others.
pub(super) fn place(volume: &PersistentVolume) -> (&str, &Path) {
    let annotations = volume.metadata.annotations.as_ref();
    let node = annotations.and_then(|all| all.get(NODE));
    let local = volume.spec.as_ref().and_then(|spec| spec.local.as_ref());
    let path = local.map_or("", |local| local.path.as_str());
    (node.map_or("", String::as_str), Path::new(path))
}

/// What to do about a volume.
pub(super) fn unmake(volume: &PersistentVolume) -> Unmaking {
    let meta = &volume.metadata;
    let annotations = meta.annotations.as_ref();
    let maker = annotations.and_then(|all| all.get(binding::PROVISIONED_BY));
    let is_ours = maker.is_some_and(|maker| maker == PROVISIONER);
    let is_held = meta.finalizers.iter().flatten().any(|it| it == FINALIZER);
    let is_going = meta.deletion_timestamp.is_some();
    let status = volume.status.as_ref();
    let phase = status.and_then(|status| status.phase.as_deref());
    let spec = volume.spec.as_ref();
    let policy = spec.and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
    let is_used = phase == Some("Bound");
    match (policy, is_going) {
        _ if !is_ours || is_used || (is_going && !is_held) => Unmaking::Nothing,
        (Some("Delete"), false) if phase == Some("Released") => Unmaking::Delete,
        (Some("Delete"), true) if phase == Some("Released") => Unmaking::Finish,
        (_, true) => Unmaking::LetGo,
        (_, false) => Unmaking::Nothing,
    }
}

/// The volume without what holds it back.
pub(super) fn let_go(volume: &PersistentVolume) -> PersistentVolume {
    let mut free = volume.clone();
    let finalizers = free.metadata.finalizers.get_or_insert_default();
    finalizers.retain(|it| it != FINALIZER);
    free
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::local_path::NodeDirectories;

    fn claim(spec: Value) -> PersistentVolumeClaim {
        let mut claim = json!({
            "metadata": {"name": "data", "namespace": "ns", "uid": "1", "annotations": {
                binding::STORAGE_PROVISIONER: PROVISIONER, binding::SELECTED_NODE: "n1"}},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        });
        for (key, value) in spec.as_object().expect("fields") {
            claim["spec"][key] = value.clone();
        }
        serde_json::from_value(claim).expect("a claim")
    }

    fn made(claim: &PersistentVolumeClaim) -> Making {
        let class = json!({"metadata": {"name": "local-path"}, "provisioner": PROVISIONER, "reclaimPolicy": "Delete"});
        let node = json!({"metadata": {"name": "n1", "labels": {HOSTNAME: "host-1"}}});
        make(
            claim,
            &serde_json::from_value(class).expect("a class"),
            &serde_json::from_value(node).expect("a node"),
            &NodeDirectories::new("/volumes", ["n1"]),
        )
    }

    #[test]
    fn a_volume_is_a_directory_of_the_node_that_was_chosen() {
        let Making::Make(volume) = made(&claim(json!({}))) else {
            panic!("it can be made")
        };
        assert_eq!(volume.metadata.name.as_deref(), Some("pvc-1"));
        assert_eq!(place(&volume), ("n1", Path::new("/volumes/pvc-1_ns_data")));
        assert!(binding::is_for(&volume, &claim(json!({}))));
        let node = |host: &str| {
            let node = json!({"metadata": {"labels": {HOSTNAME: host}}});
            serde_json::from_value::<Node>(node).expect("a node")
        };
        assert!(binding::is_reachable(&volume, &node("host-1")));
        assert!(!binding::is_reachable(&volume, &node("host-2")));
    }

    #[test]
    fn what_a_directory_can_t_be_is_refused() {
        let refused = |spec: Value| matches!(made(&claim(spec)), Making::Refuse(_));
        assert!(refused(json!({"accessModes": ["ReadWriteMany"]})));
        assert!(refused(json!({"volumeMode": "Block"})));
        assert!(refused(json!({"selector": {}})));
        assert!(!refused(json!({"accessModes": ["ReadWriteOncePod"]})));
        assert_eq!(made(&claim(json!({"volumeName": "v"}))), Making::Nothing);
    }

    #[track_caller]
    fn check(phase: &str, policy: &str, is_going: bool, want: Unmaking) {
        let Making::Make(mut volume) = made(&claim(json!({}))) else {
            panic!("it can be made")
        };
        let spec = volume.spec.get_or_insert_default();
        spec.persistent_volume_reclaim_policy = Some(policy.to_owned());
        volume.status.get_or_insert_default().phase = Some(phase.to_owned());
        if is_going {
            let now = json!("2026-01-01T00:00:00Z");
            volume.metadata.deletion_timestamp = serde_json::from_value(now).expect("a time");
        }
        assert_eq!(unmake(&volume), want);
        assert_eq!(
            unmake(&let_go(&volume)) == want,
            !is_going || want == Unmaking::Nothing
        );
    }

    #[test]
    fn data_goes_only_when_nobody_has_it_and_nobody_keeps_it() {
        check("Bound", "Delete", false, Unmaking::Nothing);
        check("Bound", "Delete", true, Unmaking::Nothing);
        check("Released", "Delete", false, Unmaking::Delete);
        check("Released", "Delete", true, Unmaking::Finish);
        check("Released", "Retain", false, Unmaking::Nothing);
        check("Released", "Retain", true, Unmaking::LetGo);
        check("Available", "Delete", true, Unmaking::LetGo);
    }
}
