use k8s_apimachinery::volume::binding;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use serde_json::{Value, json};

use super::*;
use crate::{
    cache::Storage,
    testing::{node, pod},
};

fn claim(name: &str, size: &str, annotations: Value) -> PersistentVolumeClaim {
    serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "default", "uid": name, "resourceVersion": "1", "annotations": annotations},
        "spec": {"storageClassName": "late", "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}}},
    }))
    .expect("a claim")
}

fn volume(name: &str, size: &str, node: &str) -> PersistentVolume {
    let term = json!({"matchExpressions": [{"key": "host", "operator": "In", "values": [node]}]});
    serde_json::from_value(json!({
        "metadata": {"name": name, "resourceVersion": "1"},
        "spec": {"storageClassName": "late", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": size},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}}},
        "status": {"phase": "Available"},
    }))
    .expect("a volume")
}

/// A class whose claims wait, and whose volumes this provisioner makes.
fn class(provisioner: &str) -> Value {
    json!({"metadata": {"name": "late"}, "provisioner": provisioner, "volumeBindingMode": "WaitForFirstConsumer"})
}

fn storage(class: Value) -> Storage {
    Storage {
        classes: [serde_json::from_value(class).expect("a class")]
            .into_iter()
            .collect(),
        ..Storage::default()
    }
}

fn user(name: &str, claims: &[&str]) -> PodInfo {
    let volumes = claims
        .iter()
        .map(|claim| json!({"name": claim, "persistentVolumeClaim": {"claimName": claim}}));
    pod(name)
        .spec(json!({"volumes": volumes.collect::<Vec<_>>()}))
        .info()
}

fn snapshot(storage: Storage) -> Snapshot {
    let nodes = ["n1", "n2"].map(|name| node(name).label("host", name).build());
    Snapshot::of(nodes, []).with_storage(storage)
}

/// Each node's verdict, or that of PreFilter.
#[track_caller]
fn check(plugin: &VolumeBinding, pod: &PodInfo, snapshot: &Snapshot, want: &str) {
    let found = plugin.pre_filter(pod, snapshot);
    let told = match found.filter {
        None => found.verdict.to_string(),
        Some(filter) => {
            let verdicts = snapshot.nodes().iter().map(|node| filter(node).to_string());
            verdicts.collect::<Vec<_>>().join("; ")
        }
    };
    assert_eq!(told, want);
}

const NOTHING: &str = "node(s) didn't find available persistent volumes to bind";

#[test]
fn claims_must_be_there_and_bound_or_wait_for_the_pod() {
    let plugin = VolumeBinding::default();
    let mut storage = storage(class("example.com/p"));
    check(
        &plugin,
        &pod("plain").info(),
        &snapshot(storage.clone()),
        "skip",
    );
    check(
        &plugin,
        &user("a", &["c"]),
        &snapshot(storage.clone()),
        "persistentvolumeclaim \"c\" not found",
    );
    let ephemeral = json!([{"name": "tmp", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}]);
    check(
        &plugin,
        &pod("a").spec(json!({"volumes": ephemeral})).info(),
        &snapshot(storage.clone()),
        "waiting for ephemeral volume controller to create the persistentvolumeclaim \"a-tmp\"",
    );
    let mut immediate = claim("c", "1Gi", json!({}));
    immediate.spec.as_mut().expect("a spec").storage_class_name = None;
    storage.claims.set(Arc::new(immediate));
    check(
        &plugin,
        &user("a", &["c"]),
        &snapshot(storage),
        "pod has unbound immediate PersistentVolumeClaims",
    );
}

#[test]
fn a_bound_volume_ties_the_pod_to_its_nodes() {
    let plugin = VolumeBinding::default();
    let mut storage = storage(class("example.com/p"));
    let mut bound = claim("c", "1Gi", json!({binding::BIND_COMPLETED: "yes"}));
    bound.spec.as_mut().expect("a spec").volume_name = Some("v".into());
    storage.claims.set(Arc::new(bound));
    check(
        &plugin,
        &user("a", &["c"]),
        &snapshot(storage.clone()),
        &["node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"; 2]
            .join("; "),
    );
    storage.volumes.set(Arc::new(volume("v", "1Gi", "n2")));
    check(
        &plugin,
        &user("a", &["c"]),
        &snapshot(storage),
        "node(s) didn't match PersistentVolume's node affinity; success",
    );
}

#[test]
fn a_waiting_claim_needs_a_volume_or_somebody_who_makes_one() {
    let plugin = VolumeBinding::default();
    let mut by_hand = storage(class("kubernetes.io/no-provisioner"));
    by_hand.claims.set(Arc::new(claim("c", "1Gi", json!({}))));
    by_hand.volumes.set(Arc::new(volume("v", "1Gi", "n2")));
    check(
        &plugin,
        &user("a", &["c"]),
        &snapshot(by_hand),
        &format!("{NOTHING}; success"),
    );
    let mut limited = class("example.com/p");
    let zone = json!({"key": "host", "values": ["n1"]});
    limited["allowedTopologies"] = json!([{"matchLabelExpressions": [zone]}]);
    let mut made = storage(limited);
    made.claims.set(Arc::new(claim("c", "1Gi", json!({}))));
    check(
        &plugin,
        &user("a", &["c"]),
        &snapshot(made),
        &format!("success; {NOTHING}"),
    );
}

#[test]
fn a_driver_that_tells_of_its_room_must_have_some() {
    let plugin = VolumeBinding::default();
    let mut storage = storage(class("example.com/p"));
    storage.claims.set(Arc::new(claim("c", "1Gi", json!({}))));
    let driver = json!({"metadata": {"name": "example.com/p"}, "spec": {"storageCapacity": true}});
    storage
        .csi_drivers
        .set(Arc::new(serde_json::from_value(driver).expect("a driver")));
    let room = |name: &str, size: &str| {
        let capacity = json!({"metadata": {"name": name, "namespace": "default"}, "storageClassName": "late",
            "capacity": size, "nodeTopology": {"matchLabels": {"host": name}}});
        Arc::new(serde_json::from_value(capacity).expect("a capacity"))
    };
    storage.capacities.set(room("n1", "1Gi"));
    storage.capacities.set(room("n2", "1Mi"));
    check(
        &plugin,
        &user("a", &["c"]),
        &snapshot(storage),
        "success; node(s) did not have enough free storage",
    );
}

#[test]
fn each_claim_of_a_pod_gets_a_volume_of_its_own() {
    let plugin = VolumeBinding::default();
    let mut storage = storage(class("kubernetes.io/no-provisioner"));
    storage
        .claims
        .set(Arc::new(claim("large", "2Gi", json!({}))));
    storage
        .claims
        .set(Arc::new(claim("small", "1Gi", json!({}))));
    storage.volumes.set(Arc::new(volume("v1", "2Gi", "n1")));
    storage.volumes.set(Arc::new(volume("v2", "1Gi", "n1")));
    storage.volumes.set(Arc::new(volume("v3", "2Gi", "n2")));
    let pod = user("a", &["large", "small"]);
    check(
        &plugin,
        &pod,
        &snapshot(storage),
        &format!("success; {NOTHING}"),
    );
}

#[test]
fn what_is_promised_to_one_pod_is_not_offered_to_the_next() {
    let plugin = VolumeBinding::default();
    let mut storage = storage(class("kubernetes.io/no-provisioner"));
    for name in ["c", "d"] {
        storage.claims.set(Arc::new(claim(name, "1Gi", json!({}))));
    }
    storage.volumes.set(Arc::new(volume("v", "1Gi", "n1")));
    let mut snapshot = snapshot(storage.clone());
    let (first, second) = (user("a", &["c"]), user("b", &["d"]));
    assert_eq!(plugin.reserve(&first, "n1", &snapshot), Verdict::Success);
    let nowhere = [NOTHING; 2].join("; ");
    check(&plugin, &second, &snapshot, &nowhere);
    // Another pod with the same claim goes to the same volume.
    check(
        &plugin,
        &user("e", &["c"]),
        &snapshot,
        &format!("success; {NOTHING}"),
    );
    plugin.unreserve(&first, "n1");
    check(&plugin, &second, &snapshot, &format!("success; {NOTHING}"));

    assert_eq!(plugin.reserve(&first, "n1", &snapshot), Verdict::Success);
    let mut changed = volume("v", "1Gi", "n1");
    changed.metadata.resource_version = Some("2".into());
    storage.volumes.set(Arc::new(changed));
    snapshot = snapshot.with_storage(storage);
    check(&plugin, &second, &snapshot, &format!("success; {NOTHING}"));
}

#[test]
fn a_claim_that_has_its_node_stays_there() {
    let plugin = VolumeBinding::default();
    let mut storage = storage(class("example.com/p"));
    storage.claims.set(Arc::new(claim("c", "1Gi", json!({}))));
    let snapshot = snapshot(storage);
    assert_eq!(
        plugin.reserve(&user("a", &["c"]), "n2", &snapshot),
        Verdict::Success
    );
    check(
        &plugin,
        &user("b", &["c"]),
        &snapshot,
        &format!("{NOTHING}; success"),
    );
}

#[test]
fn only_the_pods_own_claims_wake_it() {
    let plugin = VolumeBinding::default();
    let change = |name: &str| {
        let event = ClusterEvent::PersistentVolumeClaimUpdated;
        Change::of_claim(event, &Arc::new(claim(name, "1Gi", json!({}))))
    };
    assert!(plugin.may_help(&change("c"), &user("a", &["c"])));
    assert!(!plugin.may_help(&change("d"), &user("a", &["c"])));
}
