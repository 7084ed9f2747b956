use serde_json::{Value, json};

use super::*;

fn claim(fields: Value) -> PersistentVolumeClaim {
    let mut claim = json!({
        "metadata": {"name": "c", "namespace": "ns", "uid": "1"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        "status": {"phase": "Pending"},
    });
    for (part, fields) in fields.as_object().expect("parts") {
        for (key, value) in fields.as_object().expect("fields") {
            claim[part][key] = value.clone();
        }
    }
    serde_json::from_value(claim).expect("a claim")
}

fn volume(fields: Value) -> Arc<PersistentVolume> {
    let mut volume = json!({
        "metadata": {"name": "v"},
        "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}},
        "status": {"phase": "Available"},
    });
    for (key, value) in fields.as_object().expect("fields") {
        volume["spec"][key] = value.clone();
    }
    Arc::new(serde_json::from_value(volume).expect("a volume"))
}

fn view(fields: Value) -> View {
    View {
        claim: Arc::new(claim(fields)),
        named: None,
        volumes: Vec::new(),
        class: None,
        default_class: None,
        waiting_pods: Vec::new(),
    }
}

fn of_class(mode: &str, provisioner: &str) -> View {
    let class =
        json!({"metadata": {"name": "x"}, "provisioner": provisioner, "volumeBindingMode": mode});
    View {
        class: Some(Arc::new(serde_json::from_value(class).expect("a class"))),
        ..view(json!({"spec": {"storageClassName": "x"}}))
    }
}

/// The step in a word, then the reasons and messages.
#[track_caller]
fn check(view: &View, want: &str) {
    let plan = plan(view);
    let step = match plan.step {
        Step::Nothing => "=".to_owned(),
        Step::Phase(phase) => phase.to_owned(),
        Step::Bind(_) => "bind".to_owned(),
        Step::Choose(class) => format!("choose {class}"),
        Step::Provision(by) => format!("by {by}"),
    };
    let notes = plan
        .notes
        .iter()
        .map(|note| format!("; {}: {}", note.reason, note.message));
    assert_eq!(step + &notes.collect::<String>(), want);
}

#[test]
fn any_volume_that_suits_is_taken() {
    let mut view = view(json!({}));
    check(
        &view,
        "Pending; FailedBinding: no persistent volumes available for this claim and no storage class is set",
    );
    view.volumes = vec![volume(json!({}))];
    check(&view, "bind");
}

#[test]
fn who_says_nothing_gets_the_default_class_when_there_is_one() {
    let mut silent = view(json!({}));
    silent.default_class = Some("standard".into());
    check(&silent, "choose standard");
    let mut wants_none = view(json!({"spec": {"storageClassName": ""}}));
    wants_none.default_class = Some("standard".into());
    check(
        &wants_none,
        "Pending; FailedBinding: no persistent volumes available for this claim and no storage class is set",
    );
}

#[test]
fn a_claim_that_waits_says_for_whom() {
    let mut view = of_class("WaitForFirstConsumer", "example.com/p");
    view.volumes = vec![volume(json!({"storageClassName": "x"}))];
    check(
        &view,
        "Pending; WaitForFirstConsumer: waiting for first consumer to be created before binding",
    );
    view.waiting_pods = vec!["a".into()];
    check(
        &view,
        "Pending; WaitForPodScheduled: waiting for pod a to be scheduled",
    );
    view.waiting_pods.push("b".into());
    check(
        &view,
        "Pending; WaitForPodScheduled: waiting for pods a,b to be scheduled",
    );
    let reserved = json!({"storageClassName": "x", "claimRef": {"name": "c", "namespace": "ns"}});
    view.volumes.push(volume(reserved));
    check(&view, "bind");
}

#[test]
fn the_class_says_who_makes_the_volume() {
    let waiting = "Waiting for a volume to be created either by the external provisioner 'example.com/p' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.";
    let want = format!("by example.com/p; ExternalProvisioning: {waiting}");
    check(&of_class("Immediate", "example.com/p"), &want);
    let mut chosen = of_class("WaitForFirstConsumer", "example.com/p");
    let node = json!({"annotations": {SELECTED_NODE: "n1"}});
    chosen.claim = Arc::new(claim(
        json!({"metadata": node, "spec": {"storageClassName": "x"}}),
    ));
    check(&chosen, &want);
    check(
        &of_class("Immediate", "kubernetes.io/no-provisioner"),
        "Pending; ProvisioningFailed: no volume plugin matched name: kubernetes.io/no-provisioner",
    );
    check(
        &view(json!({"spec": {"storageClassName": "y"}})),
        "Pending; ProvisioningFailed: storageclass.storage.k8s.io \"y\" not found",
    );
}

#[test]
fn a_named_volume_must_be_free_and_suit() {
    let mut named = view(json!({"spec": {"volumeName": "v"}}));
    check(&named, "Pending");
    let mut with = |fields: Value, want: &str| {
        named.named = Some(volume(fields));
        check(&named, want);
    };
    with(json!({}), "bind");
    with(
        json!({"claimRef": {"name": "c", "namespace": "ns"}}),
        "bind",
    );
    with(
        json!({"claimRef": {"name": "d", "namespace": "ns"}}),
        "Pending; FailedBinding: volume \"v\" already bound to a different claim.",
    );
    with(
        json!({"capacity": {"storage": "1Mi"}}),
        "Pending; VolumeMismatch: Cannot bind to requested volume \"v\": requested PV is too small",
    );
}

#[test]
fn what_was_bound_stays_or_is_lost() {
    let complete = json!({"annotations": {binding::BIND_COMPLETED: "yes"}});
    let mut lost = view(json!({"metadata": complete}));
    check(
        &lost,
        "Lost; ClaimLost: Bound claim has lost reference to PersistentVolume. Data on the volume is lost!",
    );
    lost.claim = Arc::new(claim(
        json!({"metadata": complete, "spec": {"volumeName": "v"}}),
    ));
    check(
        &lost,
        "Lost; ClaimLost: Bound claim has lost its PersistentVolume. Data on the volume is lost!",
    );
    let owned =
        |uid: &str| volume(json!({"claimRef": {"name": "c", "namespace": "ns", "uid": uid}}));
    lost.named = Some(owned("2"));
    check(
        &lost,
        "Lost; ClaimMisbound: Two claims are bound to the same volume, this one is bound incorrectly",
    );
    lost.named = Some(owned("1"));
    check(&lost, "bind");
    lost.named = None;
    let status = json!({"phase": "Lost"});
    lost.claim = Arc::new(claim(
        json!({"metadata": complete, "spec": {"volumeName": "v"}, "status": status}),
    ));
    check(&lost, "=");
}

#[test]
fn a_bound_claim_shows_what_its_volume_offers_but_keeps_its_size() {
    let volume = volume(json!({"capacity": {"storage": "5Gi"}}));
    let first = with_phase(&claim(json!({})), BOUND, Some(&volume)).expect("a change");
    let status = first.status.as_ref().expect("a status");
    assert_eq!(
        status.capacity,
        volume.spec.as_ref().expect("a spec").capacity
    );
    assert_eq!(with_phase(&first, BOUND, Some(&volume)), None);
    let grown = self::volume(json!({"capacity": {"storage": "9Gi"}}));
    assert_eq!(with_phase(&first, BOUND, Some(&grown)), None);
}

#[test]
fn marks_tell_the_binders_hand_from_the_users() {
    let ours = bound(&claim(json!({})), "v").expect("a change");
    assert!(binding::annotation(&ours, binding::BOUND_BY_CONTROLLER).is_some());
    assert_eq!(bound(&ours, "v"), None);
    let theirs = bound(&claim(json!({"spec": {"volumeName": "v"}})), "v").expect("a change");
    assert!(binding::annotation(&theirs, binding::BOUND_BY_CONTROLLER).is_none());
}
