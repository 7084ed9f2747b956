use serde_json::{Value, json};

use super::*;
use crate::pod::testing::pod;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn container(name: &str, requests: Value, limits: Value) -> Value {
    json!({"name": name, "resources": {"requests": requests, "limits": limits}})
}

#[track_caller]
fn check_usage(spec: Value, status: Value, usage: &str) {
    let found = of_life(&pod(spec, status), NOW).usage;
    assert_eq!(found.to_string(), usage);
}

#[test]
fn requests_and_limits_count_under_all_their_names() {
    let spec = json!({"containers": [
        container(
            "a",
            json!({"cpu": "500m", "memory": "1Gi", "ephemeral-storage": "2Gi"}),
            json!({"cpu": "1", "memory": "2Gi", "ephemeral-storage": "3Gi"}),
        ),
        container("b", json!({"cpu": "500m"}), json!({})),
    ]});
    check_usage(
        spec,
        json!({}),
        "cpu=1,ephemeral-storage=2Gi,limits.cpu=1,limits.ephemeral-storage=3Gi,limits.memory=2Gi,\
         memory=1Gi,pods=1,requests.cpu=1,requests.ephemeral-storage=2Gi,requests.memory=1Gi",
    );
}

#[test]
fn huge_pages_and_devices_count_as_requested() {
    let amounts = json!({
        "hugepages-2Mi": "4Mi", "example.com/gpu": "2", "kubernetes.io/own": "1",
        "deviceclass.resource.kubernetes.io/nic": "1",
    });
    let spec = json!({"containers": [container("a", amounts.clone(), amounts)]});
    check_usage(
        spec,
        json!({}),
        "hugepages-2Mi=4Mi,pods=1,requests.deviceclass.resource.kubernetes.io/nic=1,\
         requests.example.com/gpu=2,requests.hugepages-2Mi=4Mi",
    );
    assert!(tracks("requests.deviceclass.resource.kubernetes.io/nic"));
    assert!(!tracks("requests.kubernetes.io/own"));
    assert!(!tracks("limits.example.com/gpu"));
    assert!(!tracks("requests.storage"));
}

#[test]
fn an_ended_pod_costs_nothing() {
    let spec = json!({"containers": [container("a", json!({"cpu": "1"}), json!({}))]});
    for phase in ["Succeeded", "Failed"] {
        check_usage(spec.clone(), json!({"phase": phase}), "");
    }
    for phase in ["Pending", "Running", "Unknown"] {
        check_usage(
            spec.clone(),
            json!({"phase": phase}),
            "cpu=1,pods=1,requests.cpu=1",
        );
    }
}

#[test]
fn a_pod_that_should_be_gone_costs_nothing() {
    let mut deleted = pod(json!({}), json!({"phase": "Running"}));
    deleted.metadata.deletion_timestamp =
        serde_json::from_value(json!("1970-01-01T00:01:00Z")).expect("a time");
    deleted.metadata.deletion_grace_period_seconds = Some(30);
    let after = |seconds| NOW + SignedDuration::from_secs(seconds);
    assert_eq!(overdue_from(&deleted), Some(after(90)));
    for (now, is_charged) in [(60, true), (90, true), (91, false)] {
        assert_eq!(is_live(&deleted, after(now)), is_charged, "after {now} s");
    }
}

#[test]
fn containers_must_say_what_is_limited() {
    let spec = json!({
        "containers": [
            container("a", json!({"cpu": "1", "memory": "1Gi"}), json!({"cpu": "1"})),
            container("b", json!({}), json!({"cpu": "1"})),
        ],
        "initContainers": [container("i", json!({"cpu": "1"}), json!({"cpu": "1"}))],
    });
    let found = of_life(&pod(spec.clone(), json!({})), NOW);
    let lacks = |limited: &[&str]| found.lacks(|name| limited.contains(&name));
    assert_eq!(
        lacks(&["limits.cpu", "pods", "requests.ephemeral-storage"]),
        None
    );
    assert_eq!(
        lacks(&["cpu", "limits.memory", "memory"]).as_deref(),
        Some("must specify cpu for: b; limits.memory for: a,b,i; memory for: b,i")
    );

    let mut spoken_for = spec;
    spoken_for["resources"] = json!({"requests": {"cpu": "4"}});
    let found = of_life(&pod(spoken_for, json!({})), NOW);
    assert_eq!(found.lacks(|_| true), None);
}

#[test]
fn scopes_follow_from_the_spec() {
    let burstable = container("a", json!({"cpu": "1"}), json!({}));
    let foreign = json!({
        "labelSelector": {}, "topologyKey": "zone", "namespaces": ["other"],
    });
    let own = json!({"labelSelector": {}, "topologyKey": "zone"});
    for (spec, want) in [
        (json!({}), (false, true, None, false)),
        (
            json!({"containers": [burstable], "activeDeadlineSeconds": 0, "priorityClassName": "high"}),
            (true, false, Some("high"), false),
        ),
        (
            json!({"affinity": {"podAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [own],
            }}}),
            (false, true, None, false),
        ),
        (
            json!({"affinity": {"podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution":
                    [{"weight": 1, "podAffinityTerm": foreign}],
            }}}),
            (false, true, None, true),
        ),
        (
            json!({"affinity": {"podAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution":
                    [{"labelSelector": {}, "topologyKey": "zone", "namespaceSelector": {}}],
            }}}),
            (false, true, None, true),
        ),
    ] {
        let (is_terminating, is_best_effort, class, is_cross_namespace) = want;
        let want = Scopes::Pod {
            is_terminating,
            is_best_effort,
            priority_class: class.map(str::to_owned),
            is_cross_namespace,
        };
        let found = of_life(&pod(spec.clone(), json!({})), NOW).scopes;
        assert_eq!(found, want, "{spec}");
    }
}

#[test]
fn every_pod_is_counted_ended_or_not() {
    let ended = pod(json!({}), json!({"phase": "Failed"}));
    assert_eq!(footprint(&ended, NOW).usage.to_string(), "count/pods=1");
}

#[test]
fn what_frees_something_is_noticed() {
    let with = |spec: Value, phase: &str| pod(spec, json!({"phase": phase}));
    let asking =
        |cpu: &str| json!({"containers": [container("a", json!({"cpu": cpu}), json!({}))]});
    let old = with(asking("1"), "Running");
    for (new, is_noticed) in [
        (with(asking("1"), "Running"), false),
        (with(asking("1"), "Succeeded"), true),
        (with(asking("500m"), "Running"), true),
        (
            with(
                json!({"activeDeadlineSeconds": 1, "containers": asking("1")["containers"]}),
                "Running",
            ),
            true,
        ),
    ] {
        assert_eq!(may_free(&old, &new, NOW), is_noticed, "{new:?}");
    }
}
