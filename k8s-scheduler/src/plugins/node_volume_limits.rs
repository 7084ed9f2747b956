//! NodeVolumeLimits: a node takes as many volumes of a CSI driver as the driver says.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use k8s_apimachinery::volume::{binding, claim::claims_of, class};
use k8s_openapi::api::{
    core::v1::{PersistentVolume, PersistentVolumeClaim, Pod},
    storage::v1::CSINode,
};

use crate::{
    cache::{NodeInfo, PodInfo, Snapshot, Storage},
    framework::{Change, ClusterEvent, Plugin, Points, PreFilter, PreFilterPlugin, Verdict},
};

/// The plugin's name.
pub const NAME: &str = "NodeVolumeLimits";

/// Rejects nodes that can't take more volumes of a driver.
pub struct NodeVolumeLimits;

impl Plugin for NodeVolumeLimits {
    fn name(&self) -> &'static str {
        NAME
    }

    fn register(self: Arc<Self>, points: &mut Points) {
        points.pre_filter(self);
    }

    fn events(&self) -> &'static [ClusterEvent] {
        &[
            ClusterEvent::NodeAdded,
            ClusterEvent::CsiNodeAdded,
            ClusterEvent::CsiNodeUpdated,
            ClusterEvent::AssignedPodDeleted,
            ClusterEvent::VolumeAttachmentDeleted,
        ]
    }

    /// A pod that left must have had claims.
    fn may_help(&self, change: &Change, _pod: &PodInfo) -> bool {
        let gone = change.pod.as_ref();
        gone.is_none_or(|gone| claims_of(gone).next().is_some())
    }
}

impl PreFilterPlugin for NodeVolumeLimits {
    fn pre_filter<'a>(&'a self, pod: &'a PodInfo, snapshot: &'a Snapshot) -> PreFilter<'a> {
        let storage = snapshot.storage();
        let wanted = volumes_of(&pod.pod, storage);
        if wanted.is_empty() {
            return Verdict::Skip.into();
        }
        PreFilter::filter(move |node| match fits(&wanted, node, storage) {
            true => Verdict::Success,
            false => Verdict::unschedulable("node(s) exceed max volume count"),
        })
    }
}

/// A volume of a driver: by its handle, or before it has one by its claim.
type Disk = (String, String);

fn fits(wanted: &BTreeSet<Disk>, node: &NodeInfo, storage: &Storage) -> bool {
    let limits = storage.csi_nodes.named(node.name());
    let limits = limits.map(|node| limits_of(node)).unwrap_or_default();
    if limits.is_empty() {
        return true;
    }
    let pods = node.pods.iter();
    let mut there: BTreeSet<_> = pods.flat_map(|pod| volumes_of(&pod.pod, storage)).collect();
    // What pods have left may still be attached.
    let attachments = storage.attachments.iter();
    let here = attachments.filter(|attachment| attachment.spec.node_name == node.name());
    there.extend(here.filter_map(|attachment| {
        let volume = attachment.spec.source.persistent_volume_name.as_deref()?;
        disk_of(storage.volumes.named(volume)?)
    }));
    let count =
        |disks: &BTreeSet<&Disk>, driver: &str| disks.iter().filter(|(of, _)| of == driver).count();
    let new: BTreeSet<_> = wanted.difference(&there).collect();
    let there: BTreeSet<_> = there.iter().collect();
    limits.iter().all(|(driver, limit)| {
        let new = count(&new, driver);
        new == 0 || count(&there, driver) + new <= *limit
    })
}

fn limits_of(node: &CSINode) -> BTreeMap<String, usize> {
    let drivers = node.spec.drivers.iter();
    let limited = drivers.filter_map(|driver| {
        let count = driver.allocatable.as_ref()?.count?;
        Some((driver.name.clone(), usize::try_from(count).unwrap_or(0)))
    });
    limited.collect()
}

fn volumes_of(pod: &Pod, storage: &Storage) -> BTreeSet<Disk> {
    let claims = claims_of(pod).filter_map(|claim| storage.claim_of(pod, &claim.name));
    claims
        .filter_map(|claim| disk_for(claim, storage))
        .collect()
}

fn disk_for(claim: &PersistentVolumeClaim, storage: &Storage) -> Option<Disk> {
    let bound = binding::volume_name(claim).and_then(|name| storage.volumes.named(name));
    if let Some(volume) = bound {
        return disk_of(volume);
    }
    let class = storage.classes.named(class::of_claim(claim))?;
    let meta = &claim.metadata;
    let name = |name: &Option<String>| name.clone().unwrap_or_default();
    let stand_in = format!("claim {}/{}", name(&meta.namespace), name(&meta.name));
    Some((class.provisioner.clone(), stand_in))
}

fn disk_of(volume: &PersistentVolume) -> Option<Disk> {
    let source = volume.spec.as_ref()?.csi.as_ref()?;
    Some((source.driver.clone(), source.volume_handle.clone()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{PodBuilder, node, pod};

    const DRIVER: &str = "csi.example.com";

    fn user(name: &str, claim: &str) -> PodBuilder {
        let volume = json!({"name": "v", "persistentVolumeClaim": {"claimName": claim}});
        pod(name).spec(json!({"volumes": [volume]}))
    }

    /// A node that takes two volumes; claims `c0` to `c3` that have one each.
    fn storage() -> Storage {
        let mut storage = Storage::default();
        let csi = json!({"metadata": {"name": "n"}, "spec": {"drivers": [
            {"name": DRIVER, "nodeID": "n", "allocatable": {"count": 2}}]}});
        storage
            .csi_nodes
            .set(Arc::new(serde_json::from_value(csi).expect("a CSINode")));
        for name in ["c0", "c1", "c2", "c3"] {
            let claim = json!({"metadata": {"name": name, "namespace": "default"}, "spec": {"volumeName": name}});
            storage
                .claims
                .set(Arc::new(serde_json::from_value(claim).expect("a claim")));
            let volume = json!({"metadata": {"name": name},
                "spec": {"csi": {"driver": DRIVER, "volumeHandle": name}}});
            storage
                .volumes
                .set(Arc::new(serde_json::from_value(volume).expect("a volume")));
        }
        storage
    }

    #[track_caller]
    fn check(users: &[&str], storage: Storage, wants: &str, fits: bool) {
        let users = users
            .iter()
            .map(|claim| user(&format!("of-{claim}"), claim).on("n").build());
        let snapshot = Snapshot::of([node("n").build()], users).with_storage(storage);
        let pod = user("new", wants).info();
        let filter = NodeVolumeLimits
            .pre_filter(&pod, &snapshot)
            .filter
            .expect("a filter");
        assert_eq!(filter(&snapshot.nodes()[0]).is_success(), fits);
    }

    #[test]
    fn volumes_count_once_each_up_to_the_limit() {
        check(&["c0"], storage(), "c1", true);
        check(&["c0", "c1"], storage(), "c2", false);
        check(&["c0", "c1"], storage(), "c1", true);
    }

    #[test]
    fn what_is_still_attached_counts() {
        let mut storage = storage();
        let attachment = json!({"metadata": {"name": "a"}, "spec": {"attacher": DRIVER, "nodeName": "n",
            "source": {"persistentVolumeName": "c3"}}});
        let attachment = serde_json::from_value(attachment).expect("an attachment");
        storage.attachments.set(Arc::new(attachment));
        check(&["c0"], storage, "c1", false);
    }
}
