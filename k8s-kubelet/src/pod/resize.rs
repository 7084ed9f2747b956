//! Whether a running container has the resources that its pod was allocated, and how it gets them. Pure.
//!
//! What containers were given is remembered by the runtime's ids: the runtime itself can't tell requests.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container as Spec, Pod, ResourceRequirements};

use crate::{
    allocation::{claims, differ},
    cri::ContainerState,
    pleg::PodView,
    resource::limit,
};

/// What containers were given, by the runtime's ids.
pub type Actuated = BTreeMap<String, ResourceRequirements>;

/// A running container that is to have other resources.
#[derive(Clone, Debug, PartialEq)]
pub struct Resize<'a> {
    /// The runtime's id.
    pub id: String,
    /// Its spec, with the resources that it is to have.
    pub container: &'a Spec,
    /// Whether it is to have less memory than it has: that may be more than it can give up.
    pub is_shrinking: bool,
}

/// How a container gets other resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It has them.
    None,
    /// While it runs.
    InPlace,
    /// By starting it again, as its policy says.
    Restart,
}

/// What the kernel is told of a container.
#[derive(PartialEq)]
struct Numbers {
    cpu: (i64, i64),
    memory: i64,
}

impl Numbers {
    fn of(resources: Option<&ResourceRequirements>) -> Self {
        let limits = limit::numbers(resources);
        Self {
            cpu: (limits.cpu_shares, limits.cpu_quota),
            memory: limits.memory,
        }
    }
}

/// How a container that was given something else comes to have what its spec says.
pub fn change(container: &Spec, given: &ResourceRequirements) -> Change {
    let wanted = container.resources.as_ref();
    let (old, new) = (Numbers::of(Some(given)), Numbers::of(wanted));
    let restarts = |resource: &str| {
        let mut policies = container.resize_policy.iter().flatten();
        policies.any(|policy| {
            policy.resource_name == resource && policy.restart_policy == "RestartContainer"
        })
    };
    if old.cpu != new.cpu && restarts("cpu") || old.memory != new.memory && restarts("memory") {
        return Change::Restart;
    }
    let named = |resources: &ResourceRequirements| {
        BTreeMap::from([(container.name.clone(), resources.clone())])
    };
    // A request for memory alone tells the kernel nothing, but it is reported.
    let wanted = wanted.cloned().unwrap_or_default();
    if differ(&named(&wanted), &named(given)) {
        Change::InPlace
    } else {
        Change::None
    }
}

/// The step that gives a running container its resources in place.
pub(super) fn in_place<'a>(
    container: &'a Spec,
    id: &str,
    given: &ResourceRequirements,
) -> Resize<'a> {
    let (old, new) = (
        Numbers::of(Some(given)),
        Numbers::of(container.resources.as_ref()),
    );
    Resize {
        id: id.to_owned(),
        container,
        is_shrinking: new.memory != 0 && (old.memory == 0 || new.memory < old.memory),
    }
}

/// Whether some running container doesn't have yet what the pod was allocated.
pub fn is_in_progress(pod: &Pod, view: &PodView, actuated: &Actuated) -> bool {
    let allocated = claims(pod);
    let mut running = view
        .containers
        .iter()
        .filter(|run| run.state == ContainerState::Running);
    running.any(|run| {
        let given = actuated.get(&run.id);
        let given = given.map(|given| BTreeMap::from([(run.name.clone(), given.clone())]));
        given.is_some_and(|given| differ(&given, &allocated))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(old: Value, new: Value, policy: Value, expected: Change) {
        let container: Spec = serde_json::from_value(json!({
            "name": "c", "resources": new, "resizePolicy": policy,
        }))
        .unwrap();
        let given = serde_json::from_value(old).unwrap();
        assert_eq!(change(&container, &given), expected);
    }

    fn limits(cpu: &str, memory: &str) -> Value {
        json!({"limits": {"cpu": cpu, "memory": memory}})
    }

    #[test]
    fn a_policy_restarts_for_its_resource_alone() {
        let restart = |resource: &str| json!([{"resourceName": resource, "restartPolicy": "RestartContainer"}]);
        let old = || limits("1", "64Mi");
        check(old(), limits("2", "64Mi"), json!([]), Change::InPlace);
        check(
            old(),
            limits("2", "64Mi"),
            restart("memory"),
            Change::InPlace,
        );
        check(old(), limits("2", "64Mi"), restart("cpu"), Change::Restart);
        check(
            old(),
            limits("1", "32Mi"),
            restart("memory"),
            Change::Restart,
        );
        check(old(), limits("1", "32Mi"), restart("cpu"), Change::InPlace);
    }

    #[test]
    fn another_way_to_write_it_is_no_change_and_a_memory_request_never_restarts() {
        check(
            limits("1", "1Gi"),
            limits("1000m", "1024Mi"),
            json!([]),
            Change::None,
        );
        check(
            json!({"requests": {"memory": "1Mi"}}),
            json!({"requests": {"memory": "2Mi"}}),
            json!([{"resourceName": "memory", "restartPolicy": "RestartContainer"}]),
            Change::InPlace,
        );
    }

    #[test]
    fn memory_shrinks_when_it_is_limited_lower_or_at_all() {
        let shrinks = |old: Value, new: Value| {
            let container: Spec =
                serde_json::from_value(json!({"name": "c", "resources": new})).unwrap();
            in_place(&container, "id", &serde_json::from_value(old).unwrap()).is_shrinking
        };
        assert!(shrinks(limits("1", "64Mi"), limits("1", "32Mi")));
        assert!(shrinks(json!({}), limits("1", "32Mi")));
        assert!(!shrinks(limits("1", "64Mi"), limits("1", "64Mi")));
        assert!(!shrinks(limits("1", "64Mi"), limits("2", "65Mi")));
    }
}
