//! VolumeRestrictions: volumes that only one pod, or one node, may use at a time.

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::api::core::v1::{Pod, Volume};

use crate::{
    cache::{NodeInfo, PodInfo, Snapshot},
    framework::{
        Change, ClusterEvent, FilterPlugin, Plugin, Points, PreFilter, PreFilterPlugin, Verdict,
    },
};

/// The plugin's name.
pub const NAME: &str = "VolumeRestrictions";

const ONE_POD: &str = "ReadWriteOncePod";
const CLAIM_IN_USE: &str =
    "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode";
const DISK_IN_USE: &str = "node(s) had no available disk";

/// Rejects nodes whose pods hold what the pod wants for itself.
pub struct VolumeRestrictions;

impl Plugin for VolumeRestrictions {
    fn name(&self) -> &'static str {
        NAME
    }

    fn register(self: Arc<Self>, points: &mut Points) {
        points.pre_filter(self.clone()).filter(self);
    }

    fn events(&self) -> &'static [ClusterEvent] {
        &[
            ClusterEvent::NodeAdded,
            ClusterEvent::AssignedPodDeleted,
            ClusterEvent::PersistentVolumeClaimAdded,
            ClusterEvent::PersistentVolumeClaimUpdated,
        ]
    }

    /// A pod that left must have held one of the claims or disks; a claim must be the pod's.
    fn may_help(&self, change: &Change, pod: &PodInfo) -> bool {
        if let Some(claim) = &change.claim {
            let name = claim.metadata.name.as_deref().unwrap_or_default();
            return claim.metadata.namespace == pod.pod.metadata.namespace
                && named_claims(&pod.pod).any(|other| other == name);
        }
        let Some(gone) = &change.pod else { return true };
        let theirs: BTreeSet<_> = named_claims(gone).collect();
        let shares_claim = gone.metadata.namespace == pod.pod.metadata.namespace
            && named_claims(&pod.pod).any(|name| theirs.contains(name));
        shares_claim || collides(&pod.pod, gone)
    }
}

impl PreFilterPlugin for VolumeRestrictions {
    /// A claim for one pod alone is taken wherever that pod runs, so it is looked for on all nodes.
    fn pre_filter<'a>(&'a self, pod: &'a PodInfo, snapshot: &'a Snapshot) -> PreFilter<'a> {
        let mut alone = BTreeSet::new();
        for name in named_claims(&pod.pod) {
            let Some(claim) = snapshot.storage().claim_of(&pod.pod, name) else {
                let reason = format!("persistentvolumeclaim {name:?} not found");
                return Verdict::unresolvable(reason).into();
            };
            let modes = claim.spec.iter().flat_map(|spec| &spec.access_modes);
            if modes.flatten().any(|mode| mode == ONE_POD) {
                alone.insert(name);
            }
        }
        let is_user = |other: &PodInfo| {
            other.key.namespace == pod.key.namespace
                && other.key != pod.key
                && named_claims(&other.pod).any(|name| alone.contains(name))
        };
        let mut others = snapshot.nodes().iter().flat_map(|node| &node.pods);
        let is_taken = !alone.is_empty() && others.any(|other| is_user(other));
        if !is_taken && !volumes(&pod.pod).any(is_disk) {
            return Verdict::Skip.into();
        }
        PreFilter::filter(move |node| match self.filter(pod, node) {
            Verdict::Success if is_taken => Verdict::unschedulable(CLAIM_IN_USE),
            verdict => verdict,
        })
    }
}

impl FilterPlugin for VolumeRestrictions {
    fn filter(&self, pod: &PodInfo, node: &NodeInfo) -> Verdict {
        let mut others = node.pods.iter();
        match others.any(|other| collides(&pod.pod, &other.pod)) {
            true => Verdict::unschedulable(DISK_IN_USE),
            false => Verdict::Success,
        }
    }
}

fn volumes(pod: &Pod) -> impl Iterator<Item = &Volume> {
    pod.spec.iter().flat_map(|spec| &spec.volumes).flatten()
}

fn named_claims(pod: &Pod) -> impl Iterator<Item = &str> {
    volumes(pod).filter_map(|volume| {
        let source = volume.persistent_volume_claim.as_ref()?;
        Some(source.claim_name.as_str())
    })
}

fn is_disk(volume: &Volume) -> bool {
    volume.gce_persistent_disk.is_some()
        || volume.aws_elastic_block_store.is_some()
        || volume.rbd.is_some()
        || volume.iscsi.is_some()
}

fn collides(pod: &Pod, other: &Pod) -> bool {
    volumes(pod)
        .filter(|volume| is_disk(volume))
        .any(|volume| volumes(other).any(|other| is_same_disk(volume, other)))
}

/// Whether two volumes are one disk that they can't both have on a node. Where the disk allows it, several may read.
fn is_same_disk(a: &Volume, b: &Volume) -> bool {
    let reads = |flag: Option<bool>| flag == Some(true);
    if let (Some(a), Some(b)) = (&a.gce_persistent_disk, &b.gce_persistent_disk) {
        return a.pd_name == b.pd_name && !(reads(a.read_only) && reads(b.read_only));
    }
    if let (Some(a), Some(b)) = (&a.aws_elastic_block_store, &b.aws_elastic_block_store) {
        return a.volume_id == b.volume_id;
    }
    if let (Some(a), Some(b)) = (&a.iscsi, &b.iscsi) {
        return a.iqn == b.iqn && !(reads(a.read_only) && reads(b.read_only));
    }
    if let (Some(a), Some(b)) = (&a.rbd, &b.rbd) {
        let shares_monitor = a
            .monitors
            .iter()
            .any(|monitor| b.monitors.contains(monitor));
        let pool = |pool: &Option<String>| pool.clone().unwrap_or_else(|| "rbd".to_owned());
        return shares_monitor
            && pool(&a.pool) == pool(&b.pool)
            && a.image == b.image
            && !(reads(a.read_only) && reads(b.read_only));
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        cache::Storage,
        testing::{node, pod},
    };

    fn with(name: &str, source: Value) -> crate::testing::PodBuilder {
        let mut volume = source;
        volume["name"] = json!("v");
        pod(name).spec(json!({"volumes": [volume]}))
    }

    fn claim(name: &str) -> crate::testing::PodBuilder {
        with(name, json!({"persistentVolumeClaim": {"claimName": "c"}}))
    }

    fn storage(mode: &str) -> Storage {
        let claim = json!({"metadata": {"name": "c", "namespace": "default"}, "spec": {"accessModes": [mode]}});
        Storage {
            claims: [serde_json::from_value(claim).expect("a claim")]
                .into_iter()
                .collect(),
            ..Storage::default()
        }
    }

    #[test]
    fn a_claim_for_one_pod_alone_is_taken_on_all_nodes() {
        let nodes = || ["n1", "n2"].map(|name| node(name).build());
        let check = |mode: &str, users: Vec<Pod>, want: Verdict| {
            let snapshot = Snapshot::of(nodes(), users).with_storage(storage(mode));
            let pod = claim("new").info();
            let found = VolumeRestrictions.pre_filter(&pod, &snapshot);
            let verdict = found
                .filter
                .map_or(found.verdict, |filter| filter(&snapshot.nodes()[1]));
            assert_eq!(verdict, want);
        };
        let user = || claim("old").on("n1").build();
        check(ONE_POD, vec![user()], Verdict::unschedulable(CLAIM_IN_USE));
        check(ONE_POD, vec![], Verdict::Skip);
        check("ReadWriteOnce", vec![user()], Verdict::Skip);
    }

    #[test]
    fn a_disk_is_shared_by_readers_at_most() {
        let disk = |flag: bool| json!({"gcePersistentDisk": {"pdName": "d", "readOnly": flag}});
        let verdict = |theirs: bool, ours: bool| {
            let mut node = node("n").info();
            node.add_pod(Arc::new(with("old", disk(theirs)).info()));
            VolumeRestrictions.filter(&with("new", disk(ours)).info(), &node)
        };
        assert_eq!(verdict(false, true), Verdict::unschedulable(DISK_IN_USE));
        assert_eq!(verdict(true, true), Verdict::Success);
    }

    #[test]
    fn only_who_held_it_frees_it() {
        let gone = |pod: PodInfo| Change::of_pod(ClusterEvent::AssignedPodDeleted, &pod.pod);
        let waiting = claim("new").info();
        assert!(VolumeRestrictions.may_help(&gone(claim("old").info()), &waiting));
        assert!(!VolumeRestrictions.may_help(&gone(pod("other").info()), &waiting));
    }
}
