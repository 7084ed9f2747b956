//! Which pod goes first when there are too many.
//!
//! In Kubernetes' order: one without a node, one that isn't running yet, one that isn't ready, one
//! that is cheap to delete by its annotation, one on a node that holds many of its kin, one that has
//! been ready for a shorter time, one that restarted more often, a younger one. Times count by
//! orders of magnitude, so that equally old pods are chosen among without regard to age.

use std::{cmp::Reverse, collections::BTreeMap};

use jiff::Timestamp;
use k8s_apimachinery::pod::readiness;
use k8s_openapi::api::core::v1::Pod;

/// Lets users say which pods to keep: the lower, the earlier it goes; 0 when absent.
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// The key to sort by: what sorts first goes first.
pub(super) fn rank(
    pod: &Pod,
    crowding: &BTreeMap<String, usize>,
    now: Timestamp,
) -> impl Ord + use<> {
    let node = readiness::node_name(pod);
    let kin = node.and_then(|node| crowding.get(node)).copied();
    let is_ready = readiness::is_ready(pod);
    let ready_since = readiness::condition(pod, "Ready")
        .filter(|_| is_ready)
        .and_then(|ready| ready.last_transition_time.as_ref())
        .map(|time| time.0);
    let created = pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
    (
        node.is_some(),
        phase_order(pod),
        is_ready,
        deletion_cost(pod),
        Reverse(kin.unwrap_or(0)),
        age_class(ready_since, now),
        Reverse(readiness::restart_count(pod)),
        age_class(created, now),
        pod.metadata.uid.clone(),
    )
}

fn phase_order(pod: &Pod) -> u8 {
    match readiness::phase(pod) {
        "" | "Pending" => 0,
        "Running" => 2,
        _ => 1,
    }
}

fn deletion_cost(pod: &Pod) -> i32 {
    let annotations = pod.metadata.annotations.as_ref();
    let cost = annotations.and_then(|annotations| annotations.get(DELETION_COST));
    cost.and_then(|cost| cost.parse().ok()).unwrap_or(0)
}

/// The order of magnitude of an age, in doublings of a second; none is younger than any.
fn age_class(since: Option<Timestamp>, now: Timestamp) -> u32 {
    let Some(since) = since else { return 0 };
    let seconds = now.duration_since(since).as_secs().max(0).unsigned_abs();
    1 + (seconds + 1).ilog2()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(name: &str) -> Value {
        json!({
            "metadata": {"name": name, "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"nodeName": "n1", "containers": []},
            "status": {"phase": "Running", "conditions": [
                {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"},
            ]},
        })
    }

    fn with(name: &str, path: &str, value: Value) -> Value {
        let mut pod = pod(name);
        *pod.pointer_mut(path).expect("the path exists") = value;
        pod
    }

    /// `first` goes before `second`, whichever comes first in name and list.
    #[track_caller]
    fn check(first: Value, second: Value) {
        let now = "2026-01-02T00:00:00Z".parse().unwrap();
        let crowding = BTreeMap::from([("full".to_owned(), 3), ("n1".to_owned(), 1)]);
        let [first, second]: [Pod; 2] =
            [first, second].map(|pod| serde_json::from_value(pod).expect("a pod"));
        assert!(rank(&first, &crowding, now) < rank(&second, &crowding, now));
    }

    #[test]
    fn each_criterion_decides_in_its_turn() {
        let good = || pod("a");
        check(with("b", "/spec/nodeName", "".into()), good());
        check(with("b", "/status/phase", "Pending".into()), good());
        check(
            with("b", "/status/conditions/0/status", "False".into()),
            good(),
        );
        let mut cheap = pod("b");
        cheap["metadata"]["annotations"] = json!({DELETION_COST: "-5"});
        check(cheap, good());
        check(with("b", "/spec/nodeName", "full".into()), good());
        let lately = "2026-01-01T23:00:00Z";
        let ready_time = "/status/conditions/0/lastTransitionTime";
        check(with("b", ready_time, lately.into()), good());
        check(
            with("b", "/metadata/creationTimestamp", lately.into()),
            good(),
        );
    }

    #[test]
    fn an_earlier_criterion_outweighs_later_ones() {
        let mut unready = with("b", "/status/conditions/0/status", "False".into());
        unready["metadata"]["annotations"] = json!({DELETION_COST: "100"});
        check(unready, with("a", "/spec/nodeName", "full".into()));
    }

    #[test]
    fn pods_of_about_the_same_age_are_chosen_without_regard_to_it() {
        let older = with(
            "a",
            "/metadata/creationTimestamp",
            "2025-12-31T23:59:00Z".into(),
        );
        check(older, pod("b"));
    }
}
