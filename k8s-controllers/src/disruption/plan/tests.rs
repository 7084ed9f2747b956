//! Tables: budgets over pods, and what they allow.

use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde_json::{Value, json};

use super::*;
use crate::disruption::view::{Found, Scale};

const NOW: &str = "2026-01-01T00:10:00Z";

fn now() -> Timestamp {
    NOW.parse().expect("a time")
}

/// A ready pod of the controller with this uid, or of none.
fn pod(name: &str, owner: &str) -> Value {
    let owners = match owner {
        "" => json!([]),
        uid => {
            json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": uid, "uid": uid, "controller": true}])
        }
    };
    json!({
        "metadata": {"name": name, "labels": {"app": "web"}, "ownerReferences": owners},
        "spec": {"containers": []},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

fn unready(name: &str, owner: &str) -> Value {
    let mut pod = pod(name, owner);
    pod["status"]["conditions"][0]["status"] = "False".into();
    pod
}

fn pods(owner: &str, count: usize) -> Vec<Value> {
    (0..count)
        .map(|n| pod(&format!("{owner}-{n}"), owner))
        .collect()
}

fn view(bound: Value, status: Value, pods: Vec<Value>) -> View {
    let mut spec = bound;
    spec["selector"] = json!({"matchLabels": {"app": "web"}});
    let budget = json!({
        "metadata": {"name": "b", "namespace": "default", "generation": 3},
        "spec": spec, "status": status,
    });
    let pods: Vec<Arc<Pod>> = pods
        .into_iter()
        .map(|pod| Arc::new(serde_json::from_value(pod).expect("a pod")))
        .collect();
    View::new(
        Arc::new(serde_json::from_value(budget).expect("a budget")),
        &pods,
    )
}

fn owners(owners: &[(&str, Found)]) -> BTreeMap<String, Found> {
    let owned = owners.iter().cloned();
    owned.map(|(uid, found)| (uid.to_owned(), found)).collect()
}

fn wants(uid: &str, replicas: i32) -> Found {
    Ok(Some(Scale {
        uid: uid.to_owned(),
        replicas,
    }))
}

/// `healthy of expected, desired: allowed`, or the trouble.
fn outcome(view: &View) -> String {
    let plan = plan(view, now());
    if let Some(trouble) = plan.trouble {
        return format!("{trouble:?}");
    }
    let status = plan.status.expect("a new status");
    let number = |number: Option<i32>| number.expect("a number");
    format!(
        "{} of {}, {} desired: {}{}",
        number(status.current_healthy),
        number(status.expected_pods),
        number(status.desired_healthy),
        number(status.disruptions_allowed),
        if plan.has_unmanaged_pods {
            ", unmanaged"
        } else {
            ""
        },
    )
}

#[track_caller]
fn check(bound: Value, pods: Vec<Value>, found: &[(&str, Found)], want: &str) {
    let mut view = view(bound, json!(null), pods);
    view.owners = owners(found);
    assert_eq!(outcome(&view), want);
}

#[test]
fn a_fixed_number_to_stay_is_told_from_the_pods_alone() {
    let min = |n: i32| json!({"minAvailable": n});
    check(min(2), pods("a", 3), &[], "3 of 3, 2 desired: 1");
    check(min(3), pods("a", 3), &[], "3 of 3, 3 desired: 0");
    check(min(9), pods("a", 3), &[], "3 of 3, 9 desired: 0");
    check(min(0), pods("", 1), &[], "1 of 1, 0 desired: 1");
    check(min(0), Vec::new(), &[], "0 of 0, 0 desired: 0");
    check(json!({}), pods("a", 3), &[], "3 of 0, 0 desired: 0");
}

#[test]
fn shares_are_of_what_the_controllers_want_and_rounded_up() {
    let found = [("a", wants("a", 7))];
    let of = |bound: Value, want: &str| check(bound, pods("a", 7), &found, want);
    of(json!({"minAvailable": "50%"}), "7 of 7, 4 desired: 3");
    of(json!({"minAvailable": "100%"}), "7 of 7, 7 desired: 0");
    of(json!({"maxUnavailable": "30%"}), "7 of 7, 4 desired: 3");
    of(json!({"maxUnavailable": 1}), "7 of 7, 6 desired: 1");
    of(json!({"maxUnavailable": 9}), "7 of 7, 0 desired: 7");
    of(
        json!({"maxUnavailable": "much"}),
        r#"Scale("invalid value for IntOrString: invalid type: string is not a percentage")"#,
    );
}

#[test]
fn each_controller_counts_once_and_pods_that_are_missing_count() {
    // Two sets of one Deployment, and another set.
    let found = [
        ("new", wants("d", 4)),
        ("old", wants("d", 4)),
        ("other", wants("other", 2)),
    ];
    let mut all = pods("new", 2);
    all.extend(pods("old", 2));
    all.extend(pods("other", 1));
    check(
        json!({"maxUnavailable": 2}),
        all,
        &found,
        "5 of 6, 4 desired: 1",
    );
}

#[test]
fn a_controller_that_is_not_known_closes_the_budget() {
    let max = || json!({"maxUnavailable": 1});
    let nobody = r#"Scale("found no controllers for pod \"a-0\"")"#;
    check(max(), pods("a", 1), &[("a", Ok(None))], nobody);
    check(max(), pods("a", 1), &[], nobody);
    let why = "daemonsets.apps does not implement the scale subresource";
    check(
        max(),
        pods("a", 1),
        &[("a", Err(why.to_owned()))],
        &format!("Scale({why:?})"),
    );
    // Pods without any are left out.
    let mut all = pods("a", 2);
    all.push(pod("single", ""));
    check(
        max(),
        all,
        &[("a", wants("a", 2))],
        "3 of 2, 1 desired: 2, unmanaged",
    );
}

#[test]
fn a_failure_leaves_the_numbers_and_allows_nothing() {
    let before = json!({
        "currentHealthy": 3, "desiredHealthy": 2, "expectedPods": 3, "disruptionsAllowed": 1, "observedGeneration": 2,
    });
    let mut view = view(json!({"maxUnavailable": 1}), before, pods("a", 1));
    let plan_one = plan(&view, now());
    let status = plan_one.status.expect("a new status");
    assert_eq!(status.disruptions_allowed, Some(0));
    assert_eq!(
        (status.current_healthy, status.observed_generation),
        (Some(3), Some(2))
    );
    let condition = &status.conditions.as_ref().unwrap()[0];
    assert_eq!(
        (
            condition.status.as_str(),
            condition.reason.as_str(),
            condition.message.as_str()
        ),
        (
            "False",
            "SyncFailed",
            "found no controllers for pod \"a-0\""
        )
    );
    let mut failed = PodDisruptionBudget::clone(&view.budget);
    failed.status = Some(status);
    view.budget = Arc::new(failed);
    assert!(plan(&view, now()).status.is_none(), "it is written once");
}

#[test]
fn a_selector_that_cannot_be_read_covers_nothing() {
    let mut view = view(json!({"minAvailable": 0}), json!(null), pods("a", 1));
    let mut budget = PodDisruptionBudget::clone(&view.budget);
    budget.spec.as_mut().unwrap().selector =
        serde_json::from_value(json!({"matchExpressions": [{"key": "app", "operator": "Near"}]}))
            .unwrap();
    view = View::new(Arc::new(budget), &view.pods);
    assert_eq!(
        outcome(&view),
        r#"Selector("\"Near\" is not a valid label selector operator")"#
    );
}

#[test]
fn only_ready_pods_that_stay_are_healthy() {
    let mut going = pod("going", "");
    going["metadata"]["deletionTimestamp"] = NOW.into();
    let all = vec![pod("a", ""), unready("b", ""), going];
    check(json!({"minAvailable": 1}), all, &[], "1 of 3, 1 desired: 0");
}

#[test]
fn a_granted_eviction_counts_until_the_pod_goes_or_two_minutes_are_over() {
    let with = |since: &str, pods: Vec<Value>| {
        let before = json!({
            "disruptedPods": {"a": since}, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0,
            "disruptionsAllowed": 0,
        });
        plan(&view(json!({"minAvailable": 0}), before, pods), now())
    };
    let recent = with("2026-01-01T00:09:00Z", vec![pod("a", ""), pod("b", "")]);
    let status = recent.status.unwrap();
    assert_eq!(status.current_healthy, Some(1));
    assert!(status.disrupted_pods.unwrap().contains_key("a"));
    assert_eq!(recent.again, Some(Duration::from_millis(60_001)));

    let expired = with("2026-01-01T00:07:59Z", vec![pod("a", ""), pod("b", "")]);
    let status = expired.status.unwrap();
    assert_eq!(
        (status.current_healthy, status.disrupted_pods),
        (Some(2), None)
    );
    assert_eq!(expired.not_deleted.len(), 1);
    assert_eq!(expired.again, None);

    let mut going = pod("a", "");
    going["metadata"]["deletionTimestamp"] = NOW.into();
    let gone = with("2026-01-01T00:09:00Z", vec![going, pod("b", "")]);
    let status = gone.status.unwrap();
    assert_eq!(
        (status.current_healthy, status.disrupted_pods),
        (Some(1), None)
    );
    assert!(gone.not_deleted.is_empty());
}

#[test]
fn a_status_that_says_it_all_is_not_written_again() {
    let mut view = view(json!({"minAvailable": 1}), json!(null), pods("a", 2));
    let status = plan(&view, now()).status.expect("the first");
    let condition = &status.conditions.as_ref().unwrap()[0];
    assert_eq!(
        (condition.status.as_str(), condition.reason.as_str()),
        ("True", "SufficientPods")
    );
    assert_eq!(status.observed_generation, Some(3));
    let mut budget = PodDisruptionBudget::clone(&view.budget);
    budget.status = Some(status);
    view.budget = Arc::new(budget);
    let later = now() + SignedDuration::from_mins(1);
    assert!(plan(&view, later).status.is_none());
}
