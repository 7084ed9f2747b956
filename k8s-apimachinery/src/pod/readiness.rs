//! Where a pod stands: conditions, readiness, availability, end of life.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// The pod's condition of the given type.
pub fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<&'a PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|c| c.type_ == type_)
}

/// Whether the condition of the given type is `True`.
pub fn is_condition_true(pod: &Pod, type_: &str) -> bool {
    condition(pod, type_).is_some_and(|c| c.status == "True")
}

/// Whether the pod may serve: its `Ready` condition is `True`.
pub fn is_ready(pod: &Pod) -> bool {
    is_condition_true(pod, "Ready")
}

/// Whether the pod has been ready for `min_ready_seconds` at `now`.
pub fn is_available(pod: &Pod, min_ready_seconds: i32, now: Timestamp) -> bool {
    available_in(pod, min_ready_seconds, now).is_some_and(|wait| wait.is_zero())
}

/// How long until the ready pod becomes available; `None` while it isn't ready, zero once it is
/// available. Controllers look again after that time.
pub fn available_in(pod: &Pod, min_ready_seconds: i32, now: Timestamp) -> Option<SignedDuration> {
    let ready = condition(pod, "Ready").filter(|c| c.status == "True")?;
    if min_ready_seconds == 0 {
        return Some(SignedDuration::ZERO);
    }
    let since = ready.last_transition_time.as_ref()?.0;
    let wait = SignedDuration::from_secs(min_ready_seconds.into()) - now.duration_since(since);
    Some(wait.max(SignedDuration::ZERO))
}

/// The pod's phase, empty before the first status.
pub fn phase(pod: &Pod) -> &str {
    let status = pod.status.as_ref();
    status.and_then(|s| s.phase.as_deref()).unwrap_or_default()
}

/// Whether all containers have ended for good: phase `Succeeded` or `Failed`.
pub fn is_terminal(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// Whether deletion has begun.
pub fn is_terminating(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// Whether controllers count the pod as one of theirs: neither ended nor being deleted.
pub fn is_active(pod: &Pod) -> bool {
    !is_terminal(pod) && !is_terminating(pod)
}

/// The pod's node, once it is bound.
pub fn node_name(pod: &Pod) -> Option<&str> {
    let name = pod.spec.as_ref()?.node_name.as_deref()?;
    (!name.is_empty()).then_some(name)
}

/// The status of the named container of any sort: main, init or ephemeral.
pub fn container_status<'a>(pod: &'a Pod, name: &str) -> Option<&'a ContainerStatus> {
    all_container_statuses(pod).find(|s| s.name == name)
}

/// The statuses of all containers: init, main, ephemeral.
pub fn all_container_statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    pod.status.iter().flat_map(|status| {
        let init = status.init_container_statuses.iter().flatten();
        let main = status.container_statuses.iter().flatten();
        init.chain(main)
            .chain(status.ephemeral_container_statuses.iter().flatten())
    })
}

/// Restarts of the containers that live as long as the pod: main ones and sidecars.
pub fn restart_count(pod: &Pod) -> i32 {
    let main = pod
        .status
        .iter()
        .flat_map(|s| s.container_statuses.iter().flatten());
    let spec = pod.spec.iter();
    let sidecars = spec
        .flat_map(|spec| spec.init_containers.iter().flatten())
        .filter(|container| super::request::is_restartable_init(container))
        .filter_map(|container| container_status(pod, &container.name));
    main.chain(sidecars)
        .map(|status| status.restart_count)
        .sum()
}

/// Whether every readiness gate of the spec is `True`; one without a condition is not.
pub fn readiness_gates_passed(pod: &Pod) -> bool {
    let gates = pod
        .spec
        .iter()
        .flat_map(|spec| spec.readiness_gates.iter().flatten());
    gates
        .into_iter()
        .all(|gate| is_condition_true(pod, &gate.condition_type))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::testing::pod;
    use serde_json::json;

    fn ready_since(time: &str) -> Pod {
        pod(
            json!({"containers": []}),
            json!({"phase": "Running", "conditions": [
                {"type": "Ready", "status": "True", "lastTransitionTime": time},
            ]}),
        )
    }

    fn at(time: &str) -> Timestamp {
        time.parse().expect("a timestamp")
    }

    #[test]
    fn a_ready_pod_becomes_available_after_min_ready_seconds() {
        let pod = ready_since("2026-01-01T00:00:00Z");
        assert!(is_available(&pod, 0, at("2026-01-01T00:00:00Z")));
        assert!(!is_available(&pod, 10, at("2026-01-01T00:00:09Z")));
        assert!(is_available(&pod, 10, at("2026-01-01T00:00:10Z")));
        let wait = available_in(&pod, 10, at("2026-01-01T00:00:04Z"));
        assert_eq!(wait, Some(SignedDuration::from_secs(6)));
    }

    #[test]
    fn an_unready_pod_is_never_available() {
        let pod = pod(json!({}), json!({"phase": "Running"}));
        assert!(!is_ready(&pod));
        assert_eq!(available_in(&pod, 0, at("2026-01-01T00:00:00Z")), None);
    }

    #[test]
    fn ended_and_deleted_pods_are_not_active() {
        assert!(is_active(&pod(json!({}), json!({"phase": "Running"}))));
        assert!(!is_active(&pod(json!({}), json!({"phase": "Failed"}))));
        let mut deleted = pod(json!({}), json!({}));
        deleted.metadata.deletion_timestamp =
            serde_json::from_value(json!("2026-01-01T00:00:00Z")).expect("a time");
        assert!(!is_active(&deleted));
    }

    #[test]
    fn restarts_of_init_containers_count_only_for_sidecars() {
        let status = |name: &str, n: i32| json!({"name": name, "image": "", "imageID": "", "ready": true, "restartCount": n});
        let pod = pod(
            json!({"initContainers": [{"name": "i"}, {"name": "s", "restartPolicy": "Always"}]}),
            json!({
                "containerStatuses": [status("a", 1)],
                "initContainerStatuses": [status("i", 10), status("s", 2)],
            }),
        );
        assert_eq!(restart_count(&pod), 3);
    }
}
