//! From Kubernetes' requests and limits to the kernel's numbers. Pure.

use std::collections::BTreeMap;

use k8s_apimachinery::pod::{
    qos::{self, QosClass},
    request::{self, Resources},
};
use k8s_openapi::{
    api::core::v1::{Container, Pod, ResourceRequirements},
    apimachinery::pkg::api::resource::Quantity,
};

use crate::{allocation, cri::api::LinuxContainerResources};

/// The scheduler period in microseconds that quotas count in.
pub const CPU_PERIOD: i64 = 100_000;
/// The kernel refuses smaller quotas.
const MIN_QUOTA: i64 = 1000;
const MIN_SHARES: i64 = 2;
const MAX_SHARES: i64 = 262_144;

/// How the kernel chooses victims: from -1000 (never) to 1000 (first).
const GUARANTEED_SCORE: i64 = -997;
const BEST_EFFORT_SCORE: i64 = 1000;
/// Pods at or above this priority are protected like guaranteed ones.
const CRITICAL_PRIORITY: i32 = 2_000_000_000;

/// CPU weight of a request: 1024 per core.
pub fn cpu_shares(milli_cpu: i64) -> i64 {
    (milli_cpu * 1024 / 1000).clamp(MIN_SHARES, MAX_SHARES)
}

/// Microseconds per [`CPU_PERIOD`] of a limit; 0 is no limit.
pub fn cpu_quota(milli_cpu: i64) -> i64 {
    if milli_cpu == 0 {
        return 0;
    }
    (milli_cpu * CPU_PERIOD / 1000).max(MIN_QUOTA)
}

/// The cgroup v2 weight that corresponds to a v1 share.
pub fn cpu_weight(shares: i64) -> i64 {
    1 + (shares - MIN_SHARES) * 9999 / (MAX_SHARES - MIN_SHARES)
}

/// The kernel's limits for a pod or a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CgroupLimits {
    /// CPU weight.
    pub cpu_shares: i64,
    /// CPU quota per [`CPU_PERIOD`]; 0 is no limit.
    pub cpu_quota: i64,
    /// Bytes; 0 is no limit.
    pub memory: i64,
}

impl CgroupLimits {
    /// The looser of both, limit by limit; the weight is the other's.
    pub fn loosened(self, other: CgroupLimits) -> Self {
        let looser = |a: i64, b: i64| if a == 0 || b == 0 { 0 } else { a.max(b) };
        Self {
            cpu_shares: other.cpu_shares,
            cpu_quota: looser(self.cpu_quota, other.cpu_quota),
            memory: looser(self.memory, other.memory),
        }
    }
}

/// The limits of a pod's cgroup: a resource is limited only if every container limits it. What the status says that
/// containers hold doesn't count.
pub fn pod_limits(pod: &Pod) -> CgroupLimits {
    let pod = &allocation::asked(pod);
    let limits = request::limits(pod);
    let requests = request::requests(pod);
    let is_limited = |name: &str| {
        let spec = pod.spec.as_ref();
        let on_pod = spec.and_then(|spec| spec.resources.as_ref()?.limits.as_ref());
        let containers = spec
            .map(|spec| spec.containers.as_slice())
            .unwrap_or_default();
        let init = spec
            .and_then(|spec| spec.init_containers.as_deref())
            .unwrap_or_default();
        on_pod.is_some_and(|limits| limits.contains_key(name))
            || containers.iter().chain(init).all(|container| {
                let limits = container
                    .resources
                    .as_ref()
                    .and_then(|all| all.limits.as_ref());
                limits.is_some_and(|limits| limits.contains_key(name))
            })
    };
    CgroupLimits {
        cpu_shares: match qos::class(pod) {
            QosClass::BestEffort => MIN_SHARES,
            _ => cpu_shares(requests.milli_cpu),
        },
        cpu_quota: if is_limited("cpu") {
            cpu_quota(limits.milli_cpu)
        } else {
            0
        },
        memory: if is_limited("memory") {
            limits.memory
        } else {
            0
        },
    }
}

/// One container's limits; `capacity` is the node's memory in bytes.
pub fn container_limits(
    pod: &Pod,
    container: &Container,
    capacity: i64,
) -> LinuxContainerResources {
    let resources = container.resources.as_ref();
    let numbers = numbers(resources);
    let requests = amounts(resources.and_then(|all| all.requests.as_ref()));
    LinuxContainerResources {
        cpu_period: if numbers.cpu_quota == 0 {
            0
        } else {
            CPU_PERIOD
        },
        cpu_quota: numbers.cpu_quota,
        cpu_shares: numbers.cpu_shares,
        memory_limit_in_bytes: numbers.memory,
        oom_score_adj: oom_score(pod, requests.memory, capacity),
        ..LinuxContainerResources::default()
    }
}

/// What the kernel is told of a container with these resources.
pub fn numbers(resources: Option<&ResourceRequirements>) -> CgroupLimits {
    let list = resources.and_then(|all| all.requests.as_ref());
    let has_request = list.is_some_and(|list| list.contains_key("cpu"));
    let limits = amounts(resources.and_then(|all| all.limits.as_ref()));
    // Without a request, the limit counts as one.
    let cpu = if has_request {
        amounts(list).milli_cpu
    } else {
        limits.milli_cpu
    };
    CgroupLimits {
        cpu_shares: cpu_shares(cpu),
        cpu_quota: cpu_quota(limits.milli_cpu),
        memory: limits.memory,
    }
}

fn amounts(list: Option<&BTreeMap<String, Quantity>>) -> Resources {
    list.map(Resources::from_list).unwrap_or_default()
}

/// How readily the kernel kills a container when memory runs out.
pub fn oom_score(pod: &Pod, memory_request: i64, capacity: i64) -> i64 {
    let priority = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.priority)
        .unwrap_or(0);
    if priority >= CRITICAL_PRIORITY {
        return GUARANTEED_SCORE;
    }
    match qos::class(pod) {
        QosClass::Guaranteed => GUARANTEED_SCORE,
        QosClass::BestEffort => BEST_EFFORT_SCORE,
        QosClass::Burstable => {
            let share = i128::from(memory_request) * 1000 / i128::from(capacity.max(1));
            let share = i64::try_from(share).unwrap_or(1000);
            (1000 - share).clamp(1000 + GUARANTEED_SCORE, BEST_EFFORT_SCORE - 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_looser_limit_of_two_is_the_greater_or_none() {
        let limits = |cpu_quota, memory| CgroupLimits {
            cpu_shares: 2,
            cpu_quota,
            memory,
        };
        assert_eq!(limits(10, 5).loosened(limits(20, 3)), limits(20, 5));
        assert_eq!(limits(0, 5).loosened(limits(20, 0)), limits(0, 0));
    }

    #[test]
    fn shares_quota_and_weight_follow_the_usual_conversions() {
        for (milli, shares, quota) in [
            (0, 2, 0),
            (1, 2, 1000),
            (100, 102, 10_000),
            (1500, 1536, 150_000),
        ] {
            assert_eq!(
                (cpu_shares(milli), cpu_quota(milli)),
                (shares, quota),
                "{milli}m"
            );
        }
        assert_eq!(
            (cpu_weight(2), cpu_weight(1024), cpu_weight(262_144)),
            (1, 39, 10_000)
        );
    }

    #[test]
    fn a_burstable_container_is_killed_later_the_more_it_requests() {
        let pod = |requests: &str| -> Pod {
            serde_json::from_value(serde_json::json!({
                "spec": {"containers": [{"name": "c", "resources": {"requests": {"memory": requests}}}]}
            }))
            .unwrap()
        };
        let gib = 1 << 30;
        assert_eq!(oom_score(&pod("1Gi"), gib, 4 * gib), 750);
        assert_eq!(oom_score(&pod("1"), 1, 4 * gib), 999);
        assert_eq!(oom_score(&pod("4Gi"), 4 * gib, 4 * gib), 3);
    }
}
