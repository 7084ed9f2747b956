//! Quality-of-service class of a pod: who is evicted first, and how the kernel treats it.
//!
//! Only CPU and memory count, and zero amounts count as absent. When the pod itself carries
//! resources, those decide alone.

use std::fmt;

use k8s_openapi::api::core::v1::{Pod, ResourceRequirements};

use super::request::Resources;

/// The classes, from the most to the least protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QosClass {
    /// Every container limits CPU and memory, and requests what it limits.
    Guaranteed,
    /// Something is requested or limited, but not everything.
    Burstable,
    /// Nothing is requested nor limited.
    BestEffort,
}

impl QosClass {
    /// The class as `status.qosClass` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Guaranteed => "Guaranteed",
            Self::Burstable => "Burstable",
            Self::BestEffort => "BestEffort",
        }
    }
}

impl fmt::Display for QosClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The pod's class: what its status says, else computed from its spec.
pub fn class(pod: &Pod) -> QosClass {
    match pod.status.as_ref().and_then(|s| s.qos_class.as_deref()) {
        Some("Guaranteed") => QosClass::Guaranteed,
        Some("Burstable") => QosClass::Burstable,
        Some("BestEffort") => QosClass::BestEffort,
        _ => compute(pod),
    }
}

/// The class that follows from the pod's spec; fixed when the pod is created.
pub fn compute(pod: &Pod) -> QosClass {
    let Some(spec) = &pod.spec else {
        return QosClass::BestEffort;
    };
    if let Some(resources) = &spec.resources {
        return class_of(std::iter::once(Some(resources)));
    }
    let containers = spec
        .containers
        .iter()
        .chain(spec.init_containers.iter().flatten());
    class_of(containers.map(|c| c.resources.as_ref()))
}

fn class_of<'a>(all: impl Iterator<Item = Option<&'a ResourceRequirements>>) -> QosClass {
    let mut anything = false;
    let mut everything = true;
    for resources in all {
        let list = |list: Option<_>| list.map(Resources::from_list).unwrap_or_default();
        let requests = list(resources.and_then(|r| r.requests.as_ref()));
        let limits = list(resources.and_then(|r| r.limits.as_ref()));
        for name in ["cpu", "memory"] {
            let (request, limit) = (requests.get(name), limits.get(name));
            anything |= request != 0 || limit != 0;
            everything &= limit != 0 && (request == 0 || request == limit);
        }
    }
    match (anything, everything) {
        (false, _) => QosClass::BestEffort,
        (true, true) => QosClass::Guaranteed,
        (true, false) => QosClass::Burstable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::testing::pod;
    use serde_json::{Value, json};

    #[track_caller]
    fn check(resources: &[Value], want: QosClass) {
        let containers: Vec<_> = resources
            .iter()
            .map(|r| json!({"name": "c", "resources": r}))
            .collect();
        assert_eq!(
            compute(&pod(json!({"containers": containers}), json!({}))),
            want
        );
    }

    #[test]
    fn nothing_requested_is_best_effort() {
        check(
            &[json!({}), json!({"requests": {"cpu": "0"}})],
            QosClass::BestEffort,
        );
    }

    #[test]
    fn equal_requests_and_limits_everywhere_are_guaranteed() {
        let full = json!({"cpu": "1", "memory": "1Gi"});
        check(
            &[json!({"requests": full, "limits": full})],
            QosClass::Guaranteed,
        );
        check(
            &[json!({"requests": {"cpu": "1000m"}, "limits": full})],
            QosClass::Guaranteed,
        );
    }

    #[test]
    fn one_silent_container_makes_the_pod_burstable() {
        let full = json!({"limits": {"cpu": "1", "memory": "1Gi"}});
        check(&[full, json!({})], QosClass::Burstable);
    }

    #[test]
    fn extended_resources_do_not_count() {
        check(
            &[json!({"requests": {"example.com/gpu": "1"}})],
            QosClass::BestEffort,
        );
    }

    #[test]
    fn pod_level_resources_decide_alone() {
        let full = json!({"limits": {"cpu": "1", "memory": "1Gi"}});
        let spec = json!({"containers": [{"name": "c"}], "resources": full});
        assert_eq!(compute(&pod(spec, json!({}))), QosClass::Guaranteed);
    }
}
