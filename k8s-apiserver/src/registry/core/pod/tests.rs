use super::*;

fn pod(spec: Value, status: Value) -> Object {
    let mut spec = spec;
    if spec["containers"].is_null() {
        spec["containers"] = json!([{"name": "a"}]);
    }
    let metadata = json!({"name": "p", "creationTimestamp": "2026-01-01T00:00:00Z"});
    Object::from_value(json!({"metadata": metadata, "spec": spec, "status": status}))
        .expect("an object")
}

fn now() -> Timestamp {
    "2026-01-01T01:00:00Z".parse().expect("a timestamp")
}

/// READY, STATUS and RESTARTS.
#[track_caller]
fn check(pod: &Object, want: [&str; 3]) {
    let cells = Pod.row(pod, now());
    assert_eq!(cells.len(), Pod.columns().len());
    let texts: Vec<_> = cells[1..4]
        .iter()
        .map(|cell| cell.as_str().unwrap_or_default())
        .collect();
    assert_eq!(texts, want);
}

fn running(restarts: i64) -> Value {
    json!({"name": "a", "ready": true, "restartCount": restarts, "state": {"running": {}}})
}

fn waiting(reason: &str) -> Value {
    json!({"name": "a", "state": {"waiting": {"reason": reason}}})
}

fn ended(code: i64, reason: &str) -> Value {
    json!({"name": "a", "state": {"terminated": {"exitCode": code, "reason": reason}}})
}

fn with_containers(phase: &str, containers: Value) -> Object {
    pod(
        json!({}),
        json!({"phase": phase, "containerStatuses": containers}),
    )
}

#[test]
fn the_state_of_the_main_container_is_the_status() {
    check(
        &pod(json!({}), json!({"phase": "Pending"})),
        ["0/1", "Pending", "0"],
    );
    check(
        &with_containers("Pending", json!([waiting("ContainerCreating")])),
        ["0/1", "ContainerCreating", "0"],
    );
    check(
        &with_containers("Running", json!([running(0)])),
        ["1/1", "Running", "0"],
    );
    check(
        &with_containers("Running", json!([waiting("CrashLoopBackOff")])),
        ["0/1", "CrashLoopBackOff", "0"],
    );
    check(
        &with_containers("Succeeded", json!([ended(0, "Completed")])),
        ["0/1", "Completed", "0"],
    );
    check(
        &with_containers("Failed", json!([ended(1, "Error")])),
        ["0/1", "Error", "0"],
    );
    check(
        &with_containers("Failed", json!([ended(137, "")])),
        ["0/1", "ExitCode:137", "0"],
    );
}

#[test]
fn a_running_container_outweighs_a_completed_one() {
    let containers = json!([ended(0, "Completed"), running(0)]);
    let spec = json!({"containers": [{"name": "a"}, {"name": "b"}]});
    let mut status = json!({"phase": "Running", "containerStatuses": containers});
    check(&pod(spec.clone(), status.clone()), ["1/2", "NotReady", "0"]);
    status["conditions"] = json!([{"type": "Ready", "status": "True"}]);
    check(&pod(spec, status), ["1/2", "Running", "0"]);
}

#[test]
fn restarts_tell_how_long_ago_the_last_was() {
    let mut container = running(3);
    container["lastState"] = json!({"terminated": {"finishedAt": "2026-01-01T00:55:00Z"}});
    check(
        &with_containers("Running", json!([container])),
        ["1/1", "Running", "3 (5m ago)"],
    );
}

#[test]
fn init_containers_are_counted_until_all_are_done() {
    let spec = json!({"initContainers": [{"name": "i"}, {"name": "j"}]});
    let with = |statuses: Value| {
        pod(
            spec.clone(),
            json!({"phase": "Pending", "initContainerStatuses": statuses, "containerStatuses": [waiting("PodInitializing")]}),
        )
    };
    check(
        &with(json!([waiting("PodInitializing")])),
        ["0/1", "Init:0/2", "0"],
    );
    check(
        &with(json!([ended(0, "Completed"), running(0)])),
        ["0/1", "Init:1/2", "0"],
    );
    check(
        &with(json!([waiting("ImagePullBackOff")])),
        ["0/1", "Init:ImagePullBackOff", "0"],
    );
    check(
        &with(json!([ended(1, "Error")])),
        ["0/1", "Init:Error", "0"],
    );
    check(
        &with(json!([ended(2, "")])),
        ["0/1", "Init:ExitCode:2", "0"],
    );
    check(
        &with(json!([ended(0, ""), ended(0, "")])),
        ["0/1", "PodInitializing", "0"],
    );
}

#[test]
fn sidecars_count_as_containers() {
    let spec = json!({"initContainers": [{"name": "s", "restartPolicy": "Always"}]});
    let sidecar = json!({"name": "s", "ready": true, "started": true, "restartCount": 1, "state": {"running": {}}});
    let status = json!({"phase": "Running", "initContainerStatuses": [sidecar], "containerStatuses": [running(1)]});
    check(&pod(spec, status), ["2/2", "Running", "2"]);
}

#[test]
fn deletion_and_gates_are_seen() {
    let mut deleted = with_containers("Running", json!([running(0)]));
    deleted.set(
        &["metadata", "deletionTimestamp"],
        "2026-01-01T00:59:00Z".into(),
    );
    check(&deleted, ["1/1", "Terminating", "0"]);
    deleted.set(&["status", "phase"], "Failed".into());
    deleted.set(&["status", "reason"], "NodeLost".into());
    check(&deleted, ["1/1", "Unknown", "0"]);
    let gated = pod(
        json!({}),
        json!({"phase": "Pending", "conditions": [gated(now())]}),
    );
    check(&gated, ["0/1", "SchedulingGated", "0"]);
}

#[test]
fn wide_rows_show_address_node_and_gates() {
    let pod = pod(
        json!({"nodeName": "n1", "readinessGates": [{"conditionType": "a"}, {"conditionType": "b"}]}),
        json!({"podIPs": [{"ip": "10.244.0.2"}], "conditions": [{"type": "a", "status": "True"}]}),
    );
    let cells = Pod.row(&pod, now());
    assert_eq!(
        Value::from(&cells[4..]),
        json!(["60m", "10.244.0.2", "n1", "<none>", "1/2"])
    );
}

#[test]
fn only_bound_and_living_pods_get_time_to_end() {
    let spec = |node: &str| json!({"nodeName": node, "terminationGracePeriodSeconds": 30});
    let bound = pod(spec("n1"), json!({"phase": "Running"}));
    assert_eq!(Pod.grace(&bound, None), Grace::Seconds(30));
    assert_eq!(Pod.grace(&bound, Some(5)), Grace::Seconds(5));
    assert_eq!(Pod.grace(&bound, Some(-1)), Grace::Seconds(1));
    assert_eq!(Pod.grace(&bound, Some(0)), Grace::None);
    assert_eq!(Pod.grace(&pod(spec(""), json!({})), None), Grace::None);
    assert_eq!(
        Pod.grace(&pod(spec("n1"), json!({"phase": "Failed"})), None),
        Grace::None
    );
}

#[test]
fn a_status_update_leaves_spec_owners_and_class_alone() {
    let old = pod(
        json!({"nodeName": "n1"}),
        json!({"phase": "Pending", "qosClass": "Burstable"}),
    );
    let mut new = pod(json!({"nodeName": "n2"}), json!({"phase": "Running"}));
    new.set(&["metadata", "ownerReferences"], json!([{"name": "thief"}]));
    new.set(&["metadata", "labels"], json!({"a": "b"}));
    prepare_status(&mut new, &old);
    assert_eq!(new.str(&["spec", "nodeName"]), Some("n1"));
    assert_eq!(new.str(&["status", "phase"]), Some("Running"));
    assert_eq!(new.str(&["status", "qosClass"]), Some("Burstable"));
    assert_eq!(new.get(&["metadata", "ownerReferences"]), None);
    assert_eq!(new.label("a"), Some("b"));
}

#[test]
fn what_is_selectable_has_a_value() {
    let pod = pod(
        json!({"nodeName": "n1", "hostNetwork": true}),
        json!({"phase": "Running", "podIP": "10.0.0.1"}),
    );
    let fields = Pod.fields(&pod);
    let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, Pod.selectable());
    assert!(fields.contains(&("spec.nodeName", "n1".to_owned())));
    assert!(fields.contains(&("spec.hostNetwork", "true".to_owned())));
    assert!(fields.contains(&("status.podIP", "10.0.0.1".to_owned())));
}

#[test]
fn only_resources_come_through_resize() {
    let container = |image: &str, cpu: &str| json!({"containers": [{"name": "a", "image": image, "resources": {"requests": {"cpu": cpu}}}]});
    let old = pod(container("x", "1"), json!({"phase": "Running"}));
    let mut new = pod(container("y", "2"), json!({"phase": "Failed"}));
    let user = crate::User::default();
    let context = WriteContext {
        user: &user,
        now: now(),
        subresource: "resize",
        notices: &crate::registry::Notices::default(),
    };
    Pod.prepare_update(&mut new, &old, &context);
    assert_eq!(new, pod(container("x", "2"), json!({"phase": "Running"})));
}
