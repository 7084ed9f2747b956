use serde_json::{Value, json};

use super::*;

fn object(value: Value) -> Object {
    Object::from_value(value).expect("a JSON object")
}

fn range(item: Value) -> Object {
    object(json!({"spec": {"limits": [item]}}))
}

fn container(name: &str, requests: Value, limits: Value) -> Value {
    json!({"name": name, "resources": {"requests": requests, "limits": limits}})
}

fn pod(containers: Value) -> Object {
    object(json!({"spec": {"containers": containers}}))
}

/// One container against one item.
#[track_caller]
fn check(item: Value, requests: Value, limits: Value, want: Result<(), &str>) {
    let pod = pod(json!([container("c", requests, limits)]));
    let found = constraint::check(&range(item), &pod, Subject::Pod);
    assert_eq!(found, want.map_err(str::to_owned));
}

#[test]
fn containers_stay_within_their_bounds() {
    let item = |bound: &str| json!({"type": "Container", bound: {"cpu": "1"}});
    let none = || json!({});
    let cpu = |amount: &str| json!({"cpu": amount});
    for (bound, requests, limits, want) in [
        ("max", cpu("1"), cpu("1"), Ok(())),
        (
            "max",
            cpu("1"),
            cpu("2"),
            Err("maximum cpu usage per Container is 1, but limit is 2"),
        ),
        (
            "max",
            cpu("1500m"),
            none(),
            Err("maximum cpu usage per Container is 1.  No limit is specified"),
        ),
        (
            "max",
            cpu("1500m"),
            cpu("1"),
            Err("maximum cpu usage per Container is 1, but request is 1500m"),
        ),
        ("min", cpu("1"), none(), Ok(())),
        (
            "min",
            none(),
            cpu("2"),
            Err("minimum cpu usage per Container is 1.  No request is specified"),
        ),
        (
            "min",
            cpu("500m"),
            none(),
            Err("minimum cpu usage per Container is 1, but request is 500m"),
        ),
        (
            "min",
            cpu("1"),
            cpu("500m"),
            Err("minimum cpu usage per Container is 1, but limit is 500m"),
        ),
    ] {
        check(item(bound), requests, limits, want);
    }
}

#[test]
fn limit_and_request_stay_close() {
    let item = json!({"type": "Container", "maxLimitRequestRatio": {"memory": "1500m"}});
    let memory = |amount: &str| json!({"memory": amount});
    for (requests, limits, want) in [
        (memory("2Gi"), memory("3Gi"), Ok(())),
        (
            memory("1Gi"),
            memory("2Gi"),
            Err(
                "memory max limit to request ratio per Container is 1500m, but provided ratio is 2.000000",
            ),
        ),
        (
            memory("0"),
            memory("2Gi"),
            Err(
                "memory max limit to request ratio per Container is 1500m, but no request is specified or request is 0",
            ),
        ),
        (
            memory("1Gi"),
            json!({}),
            Err(
                "memory max limit to request ratio per Container is 1500m, but no limit is specified or limit is 0",
            ),
        ),
    ] {
        check(item.clone(), requests, limits, want);
    }
}

#[test]
fn all_violations_are_told_once() {
    let item = json!({"type": "Container", "max": {"cpu": "1", "memory": "1Gi"}});
    let big = || json!({"cpu": "2", "memory": "1Gi"});
    let two = pod(json!([
        container("a", big(), big()),
        container("b", big(), json!({"cpu": "2"})),
    ]));
    let told = constraint::check(&range(item), &two, Subject::Pod).unwrap_err();
    assert_eq!(
        told,
        "[maximum cpu usage per Container is 1, but limit is 2, \
         maximum memory usage per Container is 1Gi.  No limit is specified]"
    );
}

#[test]
fn pods_are_bounded_in_sum() {
    let item = json!({"type": "Pod", "max": {"cpu": "2"}});
    let one = || json!({"cpu": "1"});
    let mut sum = pod(json!([
        container("a", one(), one()),
        container("b", one(), one())
    ]));
    let range = range(item);
    assert_eq!(constraint::check(&range, &sum, Subject::Pod), Ok(()));
    sum.set(
        &["spec", "initContainers"],
        json!([container("i", json!({"cpu": "3"}), json!({"cpu": "3"}))]),
    );
    assert_eq!(
        constraint::check(&range, &sum, Subject::Pod).unwrap_err(),
        "maximum cpu usage per Pod is 2, but limit is 3"
    );
}

#[test]
fn init_containers_are_containers() {
    let item = json!({"type": "Container", "max": {"cpu": "1"}});
    let one = || json!({"cpu": "1"});
    let mut found = pod(json!([container("a", one(), one())]));
    found.set(
        &["spec", "initContainers"],
        json!([container("i", one(), json!({"cpu": "3"}))]),
    );
    assert_eq!(
        constraint::check(&range(item), &found, Subject::Pod).unwrap_err(),
        "maximum cpu usage per Container is 1, but limit is 3"
    );
}

#[test]
fn claims_are_bounded_by_what_they_request() {
    let item = json!({
        "type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "2Gi"},
    });
    let check = |storage: Value| {
        let claim = json!({"spec": {"resources": {"requests": storage}}});
        constraint::check(&range(item.clone()), &object(claim), Subject::Claim)
    };
    assert_eq!(check(json!({"storage": "2Gi"})), Ok(()));
    assert_eq!(
        check(json!({"storage": "3Gi"})).unwrap_err(),
        "maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi"
    );
    assert_eq!(
        check(json!({"storage": "500Mi"})).unwrap_err(),
        "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 500Mi"
    );
    assert_eq!(
        check(json!({})).unwrap_err(),
        "[minimum storage usage per PersistentVolumeClaim is 1Gi.  No request is specified, \
         maximum storage usage per PersistentVolumeClaim is 2Gi.  No request is specified]"
    );
}

#[test]
fn what_is_not_said_is_filled_in_and_told() {
    let range = range(json!({
        "type": "Container",
        "default": {"cpu": "1", "memory": "512Mi"},
        "defaultRequest": {"cpu": "500m", "memory": "256Mi"},
    }));
    let mut pod = pod(json!([
        {"name": "a"},
        container("b", json!({"cpu": "2"}), json!({"cpu": "2", "memory": "1Gi"})),
    ]));
    pod.set(&["spec", "initContainers"], json!([{"name": "i"}]));
    let told = default::fill(&mut pod, &range);
    assert_eq!(
        told.as_deref(),
        Some(
            "LimitRanger plugin set: cpu, memory request for container a; \
             cpu, memory limit for container a; memory request for container b; \
             cpu, memory request for init container i; cpu, memory limit for init container i"
        )
    );
    let all = json!({
        "limits": {"cpu": "1", "memory": "512Mi"},
        "requests": {"cpu": "500m", "memory": "256Mi"},
    });
    let spec = pod.get(&["spec"]).expect("a spec");
    assert_eq!(spec["containers"][0]["resources"], all);
    assert_eq!(spec["initContainers"][0]["resources"], all);
    assert_eq!(
        spec["containers"][1]["resources"],
        json!({"requests": {"cpu": "2", "memory": "256Mi"}, "limits": {"cpu": "2", "memory": "1Gi"}})
    );
    assert_eq!(default::fill(&mut pod, &range), None);
}
