//! Tables: pods and budgets, and what an eviction costs.

use super::*;

const NOW: &str = "2026-01-01T00:00:00Z";

fn object(value: Value) -> Object {
    Object::from_value(value).unwrap()
}

fn pod(phase: &str, ready: &str) -> Value {
    json!({
        "metadata": { "name": "p", "labels": { "app": "web" } },
        "status": { "phase": phase, "conditions": [{ "type": "Ready", "status": ready }] },
    })
}

/// A budget over the pod with this status.
fn budget(status: Value) -> Value {
    json!({
        "metadata": { "name": "b", "generation": 1 },
        "spec": { "selector": { "matchLabels": { "app": "web" } } },
        "status": status,
    })
}

/// `free`, `charged`, or the refusal with its cause.
fn outcome(pod: &Value, budgets: &[Value]) -> String {
    let budgets = budgets.iter().cloned().map(object);
    match charge(&object(pod.clone()), budgets, NOW) {
        Ok(None) => "free".to_owned(),
        Ok(Some(_)) => "charged".to_owned(),
        Err(ApiError::DisruptionBudget {
            detail,
            retry_after,
        }) => format!("429 after {}: {detail}", retry_after.as_secs()),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn check(pod: Value, budgets: &[Value], want: &str) {
    assert_eq!(outcome(&pod, budgets), want);
}

const EXHAUSTED: &str =
    "429 after 0: The disruption budget b needs 2 healthy pods and has 2 currently";

fn exhausted() -> Value {
    budget(json!({ "observedGeneration": 1, "desiredHealthy": 2, "currentHealthy": 2 }))
}

#[test]
fn only_running_pods_cost_something() {
    for phase in ["Pending", "Succeeded", "Failed"] {
        check(pod(phase, "False"), &[exhausted(), exhausted()], "free");
    }
    check(pod("Running", "True"), &[exhausted()], EXHAUSTED);
    let mut going = pod("Running", "True");
    going["metadata"]["deletionTimestamp"] = NOW.into();
    check(going, &[exhausted()], "free");
}

#[test]
fn budgets_cover_what_their_selector_matches() {
    let with = |selector: Value| {
        let mut budget = exhausted();
        budget["spec"]["selector"] = selector;
        [budget]
    };
    let running = || pod("Running", "True");
    check(running(), &[], "free");
    check(running(), &with(Value::Null), "free");
    check(
        running(),
        &with(json!({ "matchLabels": { "app": "db" } })),
        "free",
    );
    let unreadable = json!({ "matchExpressions": [{ "key": "app", "operator": "Near" }] });
    check(running(), &with(unreadable), "free");
    check(running(), &with(json!({})), EXHAUSTED);
    check(
        running(),
        &[exhausted(), exhausted()],
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
    );
}

#[test]
fn an_unready_pod_is_free_while_enough_others_are_healthy() {
    let unready = || pod("Running", "False");
    let with = |current: i64, desired: i64, policy: &str| {
        let mut budget = budget(json!({
            "observedGeneration": 1, "desiredHealthy": desired, "currentHealthy": current,
        }));
        budget["spec"]["unhealthyPodEvictionPolicy"] = policy.into();
        [budget]
    };
    check(unready(), &with(2, 2, "IfHealthyBudget"), "free");
    check(
        unready(),
        &with(1, 2, "IfHealthyBudget"),
        "429 after 0: The disruption budget b needs 2 healthy pods and has 1 currently",
    );
    check(
        unready(),
        &with(0, 0, "IfHealthyBudget"),
        "429 after 0: The disruption budget b needs 0 healthy pods and has 0 currently",
    );
    check(unready(), &with(1, 2, "AlwaysAllow"), "free");
    check(
        pod("Running", "True"),
        &with(2, 2, "AlwaysAllow"),
        EXHAUSTED,
    );
}

#[test]
fn a_budget_says_why_it_refuses() {
    let refused =
        |status: Value, want: &str| check(pod("Running", "True"), &[budget(status)], want);
    refused(
        json!({ "disruptionsAllowed": 1 }),
        "429 after 10: The disruption budget b is still being processed by the server.",
    );
    refused(
        json!({ "observedGeneration": 1, "disruptionsAllowed": -1 }),
        r#"poddisruptionbudget.policy "b" is forbidden: pdb disruptions allowed is negative"#,
    );
    let failed = |reason: &str, current: i64| {
        json!({
            "observedGeneration": 1, "desiredHealthy": 1, "currentHealthy": current,
            "conditions": [{
                "type": "DisruptionAllowed", "status": "False", "reason": reason, "message": "so",
            }],
        })
    };
    refused(
        failed("SyncFailed", 0),
        "429 after 0: The disruption budget b does not allow evicting pods currently because it failed sync: so",
    );
    refused(
        failed("Odd", 1),
        "429 after 0: The disruption budget b needs 1 healthy pods and has 1 currently",
    );
    refused(
        failed("Odd", 2),
        "429 after 0: The disruption budget b does not allow evicting pods currently (Odd): so",
    );
    refused(
        json!({ "observedGeneration": 1, "currentHealthy": 2, "desiredHealthy": 1 }),
        "429 after 0: The disruption budget b does not allow evicting pods currently",
    );
    let many: serde_json::Map<_, _> = (0..=DISRUPTED_MAX)
        .map(|n| (format!("p{n}"), NOW.into()))
        .collect();
    refused(
        json!({ "observedGeneration": 1, "disruptionsAllowed": 1, "disruptedPods": many }),
        r#"poddisruptionbudget.policy "b" is forbidden: DisruptedPods map too big - too many evictions not confirmed by PDB controller"#,
    );
}

#[test]
fn each_eviction_takes_one_and_the_last_says_so() {
    let full = budget(json!({ "observedGeneration": 1, "disruptionsAllowed": 2 }));
    let charged = |budget: Value| {
        let pod = object(pod("Running", "True"));
        charge(&pod, [object(budget)], NOW).unwrap().unwrap()
    };
    let once = charged(full);
    assert_eq!(
        once.get(&["status"]),
        Some(&json!({
            "observedGeneration": 1, "disruptionsAllowed": 1, "disruptedPods": { "p": NOW },
        }))
    );
    let twice = charged(once.into_value());
    assert_eq!(
        twice.get(&["status", "disruptionsAllowed"]),
        Some(&json!(0))
    );
    assert_eq!(
        twice.get(&["status", "conditions"]),
        Some(&json!([{
            "type": "DisruptionAllowed", "status": "False", "reason": "InsufficientPods",
            "message": "", "observedGeneration": 1, "lastTransitionTime": NOW,
        }]))
    );
}

#[test]
fn an_evicted_pod_says_so() {
    let mut evicted = object(pod("Running", "True"));
    mark(&mut evicted, NOW);
    let conditions = cell::items(&evicted, &["status", "conditions"]);
    assert_eq!(
        conditions[1],
        json!({
            "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
            "message": "Eviction API: evicting", "lastTransitionTime": NOW,
        })
    );
}
