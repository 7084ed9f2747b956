use serde_json::{Value, json};

use super::*;

fn volume(annotations: Value, spec: Value) -> PersistentVolume {
    let volume = json!({"metadata": {"name": "v", "annotations": annotations}, "spec": spec,
        "status": {"phase": "Available"}});
    serde_json::from_value(volume).expect("a volume")
}

fn claim(uid: &str, spec: Value) -> PersistentVolumeClaim {
    let meta = json!({"name": "c", "namespace": "ns", "uid": uid});
    serde_json::from_value(json!({"metadata": meta, "spec": spec})).expect("a claim")
}

fn owned() -> Value {
    json!({"claimRef": {"name": "c", "namespace": "ns", "uid": "1"}})
}

#[test]
fn a_volume_follows_its_claim() {
    let bound = volume(json!({}), owned());
    let free = volume(json!({}), json!({}));
    let reserved = volume(
        json!({}),
        json!({"claimRef": {"name": "c", "namespace": "ns"}}),
    );
    assert_eq!(plan(&free, None), Step::Phase(AVAILABLE));
    assert_eq!(
        plan(&reserved, Some(&claim("1", json!({})))),
        Step::Phase(AVAILABLE)
    );
    assert_eq!(plan(&bound, None), Step::Release);
    assert_eq!(plan(&bound, Some(&claim("2", json!({})))), Step::Release);
    assert_eq!(plan(&bound, Some(&claim("1", json!({})))), Step::Wake);
    let named = |name: &str| claim("1", json!({"volumeName": name}));
    assert_eq!(plan(&bound, Some(&named("v"))), Step::Phase(BOUND));
    assert_eq!(plan(&bound, Some(&named("w"))), Step::Unbind);
}

#[test]
fn what_was_made_for_a_claim_is_nobody_elses() {
    let mut spec = owned();
    spec["persistentVolumeReclaimPolicy"] = json!("Delete");
    let made = volume(json!({binding::PROVISIONED_BY: "example.com/p"}), spec);
    let elsewhere = claim("1", json!({"volumeName": "w"}));
    assert_eq!(plan(&made, Some(&elsewhere)), Step::Release);
}

#[test]
fn a_mode_that_differs_is_told_on_both_sides() {
    let block = claim("1", json!({"volumeMode": "Block"}));
    let Step::Mismatch(of_volume, of_claim) = plan(&volume(json!({}), owned()), Some(&block))
    else {
        panic!("they don't suit")
    };
    assert_eq!(
        of_volume.message,
        "Cannot bind PersistentVolume to requested PersistentVolumeClaim \"c\" due to incompatible volumeMode."
    );
    assert_eq!(
        of_claim.message,
        "Cannot bind PersistentVolume \"v\" to requested PersistentVolumeClaim due to incompatible volumeMode."
    );
}

#[track_caller]
fn check_reclaim(policy: &str, annotations: Value, want: &str) {
    let spec = json!({"persistentVolumeReclaimPolicy": policy});
    let note = reclaim(&volume(annotations, spec));
    let told = note.map(|note| format!("{}: {}", note.reason, note.message));
    assert_eq!(told.unwrap_or_default(), want);
}

#[test]
fn reclaiming_is_others_work() {
    check_reclaim("Retain", json!({}), "");
    check_reclaim(
        "Delete",
        json!({binding::PROVISIONED_BY: "example.com/p"}),
        "",
    );
    check_reclaim(
        "Delete",
        json!({}),
        "VolumeFailedDelete: error getting deleter volume plugin for volume \"v\": no deletable volume plugin matched",
    );
    check_reclaim(
        "Recycle",
        json!({}),
        "VolumeFailedRecycle: No recycler plugin found for the volume!",
    );
    check_reclaim(
        "Burn",
        json!({}),
        "VolumeUnknownReclaimPolicy: Volume has unrecognized PersistentVolumeReclaimPolicy",
    );
}

#[test]
fn a_reservation_outlasts_the_claim() {
    let spec = |volume: &PersistentVolume| volume.spec.clone().expect("a spec").claim_ref;
    let ours = volume(json!({binding::BOUND_BY_CONTROLLER: "yes"}), owned());
    assert_eq!(spec(&unbound(&ours)), None);
    let theirs = spec(&unbound(&volume(json!({}), owned()))).expect("a reservation");
    assert_eq!((theirs.name.as_deref(), theirs.uid), (Some("c"), None));
}
