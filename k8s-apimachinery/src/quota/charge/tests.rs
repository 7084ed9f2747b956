use serde_json::{Value, json};

use super::*;
use crate::quota::testing::{footprint, object};

/// A quota whose limits are counted for.
fn quota(name: &str, hard: Value, used: Value) -> Quota {
    scoped(name, json!({"hard": hard}), used)
}

fn scoped(name: &str, spec: Value, used: Value) -> Quota {
    Quota::read(&object(json!({
        "metadata": {"name": name},
        "spec": spec,
        "status": {"hard": spec["hard"], "used": used},
    })))
}

fn pods() -> Evaluator {
    Evaluator::of("", "pods").expect("pods are counted")
}

fn pod(resources: Value) -> Footprint {
    let spec = json!({"containers": [{"name": "c", "resources": resources}]});
    footprint("", "pods", json!({ "spec": spec }))
}

fn claim(storage: &str) -> Footprint {
    let spec = json!({"resources": {"requests": {"storage": storage}}});
    footprint("", "persistentvolumeclaims", json!({ "spec": spec }))
}

/// What is used after the write by each quota that is written, or the refusal.
fn told(quotas: &[Quota], change: &Change<'_>) -> Result<Vec<String>, String> {
    let charges = charge(quotas, change)?;
    let told = charges.iter();
    Ok(told
        .map(|charge| format!("{}: {}", quotas[charge.index].name, charge.used))
        .collect())
}

#[test]
fn a_new_object_is_charged_to_all_that_cover_it() {
    let quotas = [
        quota(
            "a",
            json!({"pods": "2", "secrets": "1"}),
            json!({"pods": "1", "secrets": "1"}),
        ),
        quota("b", json!({"secrets": "1"}), json!({"secrets": "1"})),
        quota("c", json!({"cpu": "1"}), json!({"cpu": "500m"})),
    ];
    let pod = pod(json!({"requests": {"cpu": "500m"}}));
    let told = told(&quotas, &Change::create(&pods(), &pod));
    assert_eq!(told.unwrap(), ["a: pods=2,secrets=1", "c: cpu=1"]);
}

#[test]
fn what_exceeds_a_quota_is_refused_with_all_amounts() {
    let quotas = [quota(
        "mem-cpu-demo",
        json!({"requests.memory": "1Gi", "limits.memory": "2Gi", "pods": "9"}),
        json!({"requests.memory": "600Mi", "limits.memory": "800Mi", "pods": "1"}),
    )];
    let pod = pod(json!({"requests": {"memory": "700Mi"}, "limits": {"memory": "1Gi"}}));
    assert_eq!(
        told(&quotas, &Change::create(&pods(), &pod)).unwrap_err(),
        "exceeded quota: mem-cpu-demo, requested: requests.memory=700Mi, used: requests.memory=600Mi, \
         limited: requests.memory=1Gi"
    );
}

#[test]
fn what_must_be_said_is_asked_for_first() {
    let quotas = [quota(
        "q",
        json!({"limits.cpu": "1", "memory": "1Gi"}),
        json!({"limits.cpu": "1"}),
    )];
    let silent = pod(json!({}));
    assert_eq!(
        told(&quotas, &Change::create(&pods(), &silent)).unwrap_err(),
        "failed quota: q: must specify limits.cpu for: c; memory for: c"
    );
    let saying = pod(json!({"limits": {"cpu": "1"}, "requests": {"memory": "1"}}));
    assert_eq!(
        told(&quotas, &Change::create(&pods(), &saying)).unwrap_err(),
        "status unknown for quota: q, resources: limits.cpu,memory"
    );
}

#[test]
fn negative_usage_is_refused() {
    let quotas = [quota(
        "q",
        json!({"requests.storage": "1Gi"}),
        json!({"requests.storage": "0"}),
    )];
    let claims = Evaluator::of("", "persistentvolumeclaims").expect("claims are counted");
    assert_eq!(
        told(&quotas, &Change::create(&claims, &claim("-1Gi"))).unwrap_err(),
        "quota usage is negative for resource(s): requests.storage"
    );
}

#[test]
fn an_update_is_charged_what_it_costs_more() {
    let quotas = [quota(
        "q",
        json!({"requests.storage": "30Gi"}),
        json!({"requests.storage": "30Gi"}),
    )];
    let claims = Evaluator::of("", "persistentvolumeclaims").expect("claims are counted");
    let change = |new, old, is_status| {
        let (new, old) = (claim(new), claim(old));
        told(&quotas, &Change::update(&claims, &new, &old, is_status))
    };
    assert_eq!(
        change("20Gi", "10Gi", false).unwrap_err(),
        "exceeded quota: q, requested: requests.storage=10Gi, used: requests.storage=30Gi, \
         limited: requests.storage=30Gi"
    );
    assert_eq!(change("10Gi", "10Gi", false).unwrap(), [""; 0]);
    assert_eq!(change("5Gi", "10Gi", false).unwrap(), [""; 0]);
    // What a status reports has happened.
    assert_eq!(
        change("20Gi", "10Gi", true).unwrap(),
        ["q: requests.storage=40Gi"]
    );
}

#[test]
fn over_a_lowered_limit_only_more_is_refused() {
    let quotas = [quota(
        "q",
        json!({"pods": "1", "cpu": "2"}),
        json!({"pods": "5", "cpu": "1"}),
    )];
    let [new, old] = ["1500m", "1"].map(|cpu| pod(json!({"requests": {"cpu": cpu}})));
    let change =
        Change::update(&Evaluator::of("", "pods").unwrap(), &new, &old, false).cost(&quotas[0]);
    assert_eq!(change.to_string(), "cpu=500m");
    let resized = told(&quotas, &Change::update(&pods(), &new, &old, false));
    assert_eq!(resized.unwrap(), ["q: cpu=1500m,pods=5"]);
}

#[test]
fn an_object_that_comes_into_a_scope_is_charged_whole() {
    let ending = json!({"hard": {"pods": "1"}, "scopes": ["Terminating"]});
    let lasting = json!({"hard": {"pods": "1"}, "scopes": ["NotTerminating"]});
    let quotas = [
        scoped("ending", ending, json!({"pods": "0"})),
        scoped("lasting", lasting, json!({"pods": "1"})),
    ];
    let [old, new] = [json!({}), json!({"activeDeadlineSeconds": 5})].map(|mut spec| {
        spec["containers"] = json!([]);
        footprint("", "pods", json!({ "spec": spec }))
    });
    let moved = told(&quotas, &Change::update(&pods(), &new, &old, false));
    assert_eq!(moved.unwrap(), ["ending: pods=1"]);
    let refused = told(&quotas, &Change::create(&pods(), &old)).unwrap_err();
    assert!(refused.starts_with("exceeded quota: lasting,"), "{refused}");
}

#[test]
fn a_quota_nobody_has_counted_for_is_written_as_it_is() {
    let mut fresh = quota("fresh", json!({"pods": "0", "secrets": "0"}), json!({}));
    fresh.hard = ResourceList::default();
    let quotas = [fresh];
    let pod = pod(json!({}));
    assert_eq!(
        told(&quotas, &Change::create(&pods(), &pod)).unwrap(),
        ["fresh: "]
    );
    let maps = Evaluator::of("", "configmaps").expect("maps are counted");
    let map = footprint("", "configmaps", json!({}));
    assert_eq!(
        told(&quotas, &Change::create(&maps, &map)).unwrap(),
        [""; 0]
    );
}

#[test]
fn a_removal_gives_back_what_was_charged() {
    let quotas = [
        quota(
            "a",
            json!({"pods": "9", "cpu": "9"}),
            json!({"pods": "3", "cpu": "500m"}),
        ),
        scoped(
            "b",
            json!({"hard": {"pods": "9"}, "scopes": ["BestEffort"]}),
            json!({"pods": "3"}),
        ),
        quota("c", json!({"pods": "9"}), json!({})),
    ];
    let old = pod(json!({"requests": {"cpu": "1"}}));
    let charges = release(&quotas, &pods(), &old);
    let told: Vec<_> = charges
        .iter()
        .map(|charge| (charge.index, charge.used.to_string()))
        .collect();
    assert_eq!(told, [(0, "cpu=0,pods=2".to_owned())]);
}
