//! VolumeZone: a volume that is labelled with a zone or region is used from there.
//!
//! For volumes of old; newer ones have a node affinity, which is VolumeBinding's.

use std::sync::Arc;

use k8s_apimachinery::volume::{binding, claim::claims_of};
use k8s_openapi::api::core::v1::{Node, PersistentVolume};

use crate::{
    cache::{PodInfo, Snapshot},
    framework::{Change, ClusterEvent, Plugin, Points, PreFilter, PreFilterPlugin, Verdict},
};

/// The plugin's name.
pub const NAME: &str = "VolumeZone";

/// The labels that say where something is, each with its name of old.
const TOPOLOGY: [(&str, &str); 2] = [
    (
        "topology.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/zone",
    ),
    (
        "topology.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/region",
    ),
];

/// Rejects nodes in other zones than the pod's volumes.
pub struct VolumeZone;

impl Plugin for VolumeZone {
    fn name(&self) -> &'static str {
        NAME
    }

    fn register(self: Arc<Self>, points: &mut Points) {
        points.pre_filter(self);
    }

    fn events(&self) -> &'static [ClusterEvent] {
        &[
            ClusterEvent::NodeAdded,
            ClusterEvent::NodeLabelsChanged,
            ClusterEvent::PersistentVolumeClaimAdded,
            ClusterEvent::PersistentVolumeClaimUpdated,
            ClusterEvent::PersistentVolumeAdded,
            ClusterEvent::PersistentVolumeUpdated,
        ]
    }

    fn may_help(&self, change: &Change, pod: &PodInfo) -> bool {
        let claim = change.claim.as_ref();
        claim.is_none_or(|claim| claim.metadata.namespace == pod.pod.metadata.namespace)
    }
}

impl PreFilterPlugin for VolumeZone {
    fn pre_filter<'a>(&'a self, pod: &'a PodInfo, snapshot: &'a Snapshot) -> PreFilter<'a> {
        let storage = snapshot.storage();
        let claims = claims_of(&pod.pod).filter_map(|it| storage.claim_of(&pod.pod, &it.name));
        let volumes = claims.filter_map(|claim| {
            let name = binding::volume_name(claim)?;
            storage.volumes.named(name)
        });
        let places: Vec<_> = volumes.flat_map(|volume| places_of(volume)).collect();
        if places.is_empty() {
            return Verdict::Skip.into();
        }
        PreFilter::filter(move |node| match is_there(&places, &node.node) {
            true => Verdict::Success,
            false => Verdict::unresolvable("node(s) had no available volume zone"),
        })
    }
}

/// A label by both of its names, and the values that will do.
type Place = ([&'static str; 2], Vec<String>);

/// Several zones of a volume are written as one value.
fn places_of(volume: &PersistentVolume) -> Vec<Place> {
    let labels = volume.metadata.labels.as_ref();
    let label = |key: &str| labels.and_then(|labels| labels.get(key));
    let places = TOPOLOGY.into_iter().filter_map(|(key, of_old)| {
        let value = label(key).or_else(|| label(of_old))?;
        Some((
            [key, of_old],
            value.split("__").map(str::to_owned).collect(),
        ))
    });
    places.collect()
}

/// A node that says nothing of where it is may be anywhere.
fn is_there(places: &[Place], node: &Node) -> bool {
    let label = |key: &str| node.metadata.labels.as_ref()?.get(key);
    let mut keys = TOPOLOGY.iter().flat_map(|(key, of_old)| [*key, *of_old]);
    if !keys.any(|key| label(key).is_some()) {
        return true;
    }
    places.iter().all(|(keys, values)| {
        let value = keys.iter().find_map(|key| label(key));
        value.is_some_and(|value| values.contains(value))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        cache::Storage,
        testing::{node, pod},
    };

    #[track_caller]
    fn check(zones: &str, label: (&str, &str), want: bool) {
        let claim =
            json!({"metadata": {"name": "c", "namespace": "default"}, "spec": {"volumeName": "v"}});
        let volume =
            json!({"metadata": {"name": "v", "labels": {"topology.kubernetes.io/zone": zones}}});
        let storage = Storage {
            claims: [serde_json::from_value(claim).expect("a claim")]
                .into_iter()
                .collect(),
            volumes: [serde_json::from_value(volume).expect("a volume")]
                .into_iter()
                .collect(),
            ..Storage::default()
        };
        let nodes = [node("n").label(label.0, label.1).build()];
        let snapshot = Snapshot::of(nodes, []).with_storage(storage);
        let volume = json!({"name": "v", "persistentVolumeClaim": {"claimName": "c"}});
        let pod = pod("p").spec(json!({"volumes": [volume]})).info();
        let filter = VolumeZone
            .pre_filter(&pod, &snapshot)
            .filter
            .expect("a filter");
        assert_eq!(filter(&snapshot.nodes()[0]).is_success(), want);
    }

    #[test]
    fn the_node_must_be_in_one_of_the_volumes_zones() {
        check("a", ("topology.kubernetes.io/zone", "a"), true);
        check("a__b", ("topology.kubernetes.io/zone", "b"), true);
        check("a", ("topology.kubernetes.io/zone", "c"), false);
        check("a", ("failure-domain.beta.kubernetes.io/zone", "a"), true);
        check("a", ("other", "c"), true);
        check("a", ("topology.kubernetes.io/region", "r"), false);
    }
}
