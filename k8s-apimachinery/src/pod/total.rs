//! Requests and limits of a whole pod, exact and by name: what quotas and limit ranges count.
//!
//! The same sums as in [`request`](super::request), which schedulers and cgroups count in integers; here a resource
//! that nobody names stays unnamed, and an amount keeps the suffix that it was written with, since people read both.

use k8s_openapi::api::core::v1::{Container, Pod, ResourceRequirements};

use super::request::{
    List, Sum, aggregate, is_pod_level_resource, pod_level, requests_held, while_resizing,
};
use crate::ResourceList;

impl Sum for ResourceList {
    fn add(&mut self, other: &Self) {
        ResourceList::add(self, other);
    }

    fn raise(&mut self, other: &Self) {
        ResourceList::raise(self, other);
    }
}

/// What the pod's spec requests, without the overhead of its runtime class.
pub fn requests_asked(pod: &Pod) -> ResourceList {
    total(pod, |r| r.requests.as_ref(), |_, asked| asked)
}

/// What the pod's spec limits, without the overhead of its runtime class.
pub fn limits_asked(pod: &Pod) -> ResourceList {
    total(pod, |r| r.limits.as_ref(), |_, asked| asked)
}

/// What the pod is charged for as requested: the overhead too and, while it is being resized, what it still holds.
pub fn requests_charged(pod: &Pod) -> ResourceList {
    let held = |container: &Container, asked| {
        while_resizing(pod, container, asked, |running| {
            requests_held(running).map(ResourceList::from_map).collect()
        })
    };
    let mut charged = total(pod, |r| r.requests.as_ref(), held);
    charged.add(&overhead(pod));
    charged
}

/// What the pod is charged for as limited: the overhead of what it limits too and, while it is being resized, what it
/// still may use.
pub fn limits_charged(pod: &Pod) -> ResourceList {
    let held = |container: &Container, asked| {
        while_resizing(pod, container, asked, |running| {
            let limits = running.resources.as_ref().and_then(|r| r.limits.as_ref());
            limits.map(ResourceList::from_map).into_iter().collect()
        })
    };
    let mut charged = total(pod, |r| r.limits.as_ref(), held);
    let is_limited = |name: &str| charged.get(name).is_some_and(|limit| !limit.is_zero());
    let overhead = overhead(pod).only(is_limited);
    charged.add(&overhead);
    charged
}

/// Whether the pod as a whole requests or limits something that can be requested so.
pub fn is_set_on_pod(pod: &Pod) -> bool {
    let lists = pod_level(pod).map(|r| [&r.requests, &r.limits]);
    let mut names = lists.into_iter().flatten().flatten().flat_map(List::keys);
    names.any(|name| is_pod_level_resource(name))
}

fn total(
    pod: &Pod,
    pick: fn(&ResourceRequirements) -> Option<&List>,
    of_container: impl Fn(&Container, ResourceList) -> ResourceList,
) -> ResourceList {
    let list = |list: Option<&List>| list.map(ResourceList::from_map).unwrap_or_default();
    let mut total = aggregate(pod, |container| {
        of_container(container, list(container.resources.as_ref().and_then(pick)))
    });
    let of_pod = list(pod_level(pod).and_then(pick));
    for (name, amount) in of_pod
        .iter()
        .filter(|(name, _)| is_pod_level_resource(name))
    {
        total.insert(name, amount);
    }
    total
}

fn overhead(pod: &Pod) -> ResourceList {
    let list = pod.spec.as_ref().and_then(|spec| spec.overhead.as_ref());
    list.map(ResourceList::from_map).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::testing::pod;
    use serde_json::{Value, json};

    fn container(name: &str, requests: Value, limits: Value) -> Value {
        json!({"name": name, "resources": {"requests": requests, "limits": limits}})
    }

    #[track_caller]
    fn check(spec: Value, status: Value, asked: [&str; 2], charged: [&str; 2]) {
        let pod = pod(spec, status);
        let found = [requests_asked(&pod), limits_asked(&pod)].map(|list| list.to_string());
        assert_eq!(found, asked, "asked");
        let found = [requests_charged(&pod), limits_charged(&pod)].map(|list| list.to_string());
        assert_eq!(found, charged, "charged");
    }

    #[test]
    fn what_nobody_names_stays_unnamed() {
        let spec = json!({"containers": [
            container("a", json!({"memory": "64Mi", "cpu": "100m"}), json!({})),
            container("b", json!({"memory": "64Mi"}), json!({"cpu": "1"})),
        ]});
        let sums = ["cpu=100m,memory=128Mi", "cpu=1"];
        check(spec, json!({}), sums, sums);
    }

    #[test]
    fn the_init_phase_counts_if_it_needs_more() {
        let spec = json!({
            "initContainers": [container("i", json!({"cpu": "2"}), json!({"cpu": "3"}))],
            "containers": [container("a", json!({"cpu": "500m", "memory": "1Gi"}), json!({"cpu": "500m"}))],
        });
        let sums = ["cpu=2,memory=1Gi", "cpu=3"];
        check(spec, json!({}), sums, sums);
    }

    #[test]
    fn overhead_is_charged_where_something_is_limited() {
        let spec = json!({
            "containers": [container("a", json!({"cpu": "1"}), json!({"cpu": "1"}))],
            "overhead": {"cpu": "250m", "memory": "120Mi"},
        });
        check(
            spec,
            json!({}),
            ["cpu=1", "cpu=1"],
            ["cpu=1250m,memory=120Mi", "cpu=1250m"],
        );
    }

    #[test]
    fn a_pods_own_resources_replace_the_sum() {
        let spec = json!({
            "containers": [container("a", json!({"cpu": "1", "example.com/gpu": "1"}), json!({}))],
            "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "4"}},
        });
        let sums = ["cpu=2,example.com/gpu=1", "cpu=4"];
        check(spec, json!({}), sums, sums);
    }

    #[test]
    fn what_a_shrinking_container_still_holds_is_charged() {
        let spec =
            json!({"containers": [container("a", json!({"cpu": "1"}), json!({"cpu": "2"}))]});
        let running = |reason: &str| {
            json!({
                "containerStatuses": [{
                    "name": "a", "image": "", "imageID": "", "ready": true, "restartCount": 0,
                    "allocatedResources": {"cpu": "1500m"},
                    "resources": {"requests": {"cpu": "1500m"}, "limits": {"cpu": "3"}},
                }],
                "conditions": [{"type": "PodResizePending", "status": "True", "reason": reason}],
            })
        };
        let asked = ["cpu=1", "cpu=2"];
        check(spec, running("Deferred"), asked, ["cpu=1500m", "cpu=3"]);
        let greedy =
            json!({"containers": [container("a", json!({"cpu": "9"}), json!({"cpu": "9"}))]});
        check(
            greedy,
            running("Infeasible"),
            ["cpu=9", "cpu=9"],
            ["cpu=1500m", "cpu=3"],
        );
    }
}
