use std::sync::Arc;

use serde_json::{Value, json};

use super::*;

fn claim(spec: Value) -> PersistentVolumeClaim {
    let mut claim = json!({
        "metadata": {"name": "c", "namespace": "ns", "uid": "1"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}},
    });
    merge(&mut claim["spec"], spec);
    serde_json::from_value(claim).expect("a claim")
}

fn volume(name: &str, spec: Value) -> Arc<PersistentVolume> {
    let mut volume = json!({
        "metadata": {"name": name, "labels": {"name": name}},
        "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "5Gi"}},
        "status": {"phase": "Available"},
    });
    merge(&mut volume["spec"], spec);
    Arc::new(serde_json::from_value(volume).expect("a volume"))
}

fn merge(into: &mut Value, fields: Value) {
    for (key, value) in fields.as_object().expect("fields") {
        into[key] = value.clone();
    }
}

fn size(size: &str) -> Value {
    json!({"capacity": {"storage": size}})
}

#[track_caller]
fn check_best(spec: Value, volumes: &[Arc<PersistentVolume>], search: Search<'_>, want: &str) {
    let claim = claim(spec);
    let found = best(&claim, volumes, search);
    let name = found.and_then(|volume| volume.metadata.name.as_deref());
    assert_eq!(name.unwrap_or_default(), want);
}

#[test]
fn the_smallest_that_is_large_enough_is_taken() {
    let volumes = [
        volume("a", size("10Gi")),
        volume("b", size("1Gi")),
        volume("c", size("3Gi")),
        volume("d", size("2048Mi")),
    ];
    check_best(json!({}), &volumes, Search::Immediate, "d");
    check_best(json!({}), &volumes[..2], Search::Immediate, "a");
    check_best(json!({}), &volumes[1..2], Search::Immediate, "");
}

#[test]
fn of_equal_size_the_one_that_can_least_is_taken() {
    let both = json!({"accessModes": ["ReadWriteOnce", "ReadOnlyMany"]});
    let volumes = [volume("a", both), volume("b", json!({}))];
    check_best(json!({}), &volumes, Search::Immediate, "b");
    let modes = json!({"accessModes": ["ReadOnlyMany"]});
    check_best(modes, &volumes, Search::Immediate, "a");
    let modes = json!({"accessModes": ["ReadWriteMany"]});
    check_best(modes, &volumes, Search::Immediate, "");
}

#[test]
fn class_mode_selector_and_attributes_must_agree() {
    let classed = [volume("a", json!({"storageClassName": "fast"}))];
    check_best(json!({}), &classed, Search::Immediate, "");
    check_best(
        json!({"storageClassName": "fast"}),
        &classed,
        Search::Immediate,
        "a",
    );
    let block = [volume("a", json!({"volumeMode": "Block"}))];
    check_best(json!({}), &block, Search::Immediate, "");
    check_best(
        json!({"volumeMode": "Block"}),
        &block,
        Search::Immediate,
        "a",
    );
    let both = [volume("a", json!({})), volume("b", json!({}))];
    let selector = json!({"selector": {"matchLabels": {"name": "b"}}});
    check_best(selector, &both, Search::Immediate, "b");
    let gold = [volume("a", json!({"volumeAttributesClassName": "gold"}))];
    check_best(json!({}), &gold, Search::Immediate, "");
}

#[test]
fn what_is_bound_beforehand_comes_first_and_others_stay_away() {
    let reserved =
        json!({"claimRef": {"name": "c", "namespace": "ns"}, "capacity": {"storage": "9Gi"}});
    let taken =
        json!({"claimRef": {"name": "d", "namespace": "ns"}, "capacity": {"storage": "2Gi"}});
    let volumes = [
        volume("a", size("2Gi")),
        volume("b", taken),
        volume("c", reserved),
    ];
    check_best(json!({}), &volumes, Search::Immediate, "c");
    check_best(json!({}), &volumes, Search::Prebound, "c");
    check_best(json!({}), &volumes[..2], Search::Prebound, "");
    check_best(json!({}), &volumes[1..2], Search::Immediate, "");
}

#[test]
fn the_scheduler_wants_it_in_reach_of_the_node() {
    let on = |node: &str| {
        let term =
            json!({"matchExpressions": [{"key": "host", "operator": "In", "values": [node]}]});
        json!({"nodeAffinity": {"required": {"nodeSelectorTerms": [term]}}})
    };
    let node: Node =
        serde_json::from_value(json!({"metadata": {"labels": {"host": "n2"}}})).expect("a node");
    let volumes = [volume("a", on("n1")), volume("b", on("n2"))];
    check_best(json!({}), &volumes, Search::On(&node), "b");
    check_best(json!({}), &volumes[..1], Search::On(&node), "");
    check_best(json!({}), &volumes, Search::Immediate, "a");
    let mut reserved = on("n1");
    reserved["claimRef"] = json!({"name": "c", "namespace": "ns"});
    let volumes = [volume("a", reserved), volume("b", on("n2"))];
    check_best(json!({}), &volumes, Search::On(&node), "");
}

#[test]
fn a_named_volume_must_suit_too() {
    let check = |spec: Value, fields: Value| match check(&claim(spec), &volume("v", fields)) {
        Ok(()) => String::new(),
        Err(reason) => reason,
    };
    assert_eq!(check(json!({}), json!({})), "");
    assert_eq!(check(json!({}), size("1Gi")), "requested PV is too small");
    assert_eq!(
        check(json!({"storageClassName": "x"}), json!({})),
        "storageClassName does not match"
    );
    assert_eq!(
        check(json!({"volumeMode": "Block"}), json!({})),
        "incompatible volumeMode"
    );
    assert_eq!(
        check(json!({"accessModes": ["ReadWriteMany"]}), json!({})),
        "incompatible accessMode"
    );
}
