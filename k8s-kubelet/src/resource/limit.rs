//! From Kubernetes' requests and limits to the kernel's numbers. Pure.

use k8s_apimachinery::pod::{
    qos::{self, QosClass},
    request::{self, Resources},
};
use k8s_openapi::api::core::v1::{Container, Pod};

use crate::cri::api::LinuxContainerResources;

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

/// The kernel's limits for a whole pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodLimits {
    /// CPU weight.
    pub cpu_shares: i64,
    /// CPU quota per [`CPU_PERIOD`]; 0 is no limit.
    pub cpu_quota: i64,
    /// Bytes; 0 is no limit.
    pub memory: i64,
}

/// The limits of a pod's cgroup: a resource is limited only if every container limits it.
pub fn pod_limits(pod: &Pod) -> PodLimits {
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
    PodLimits {
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
    let list = |which: &str| {
        let resources = container.resources.as_ref();
        let list = resources.and_then(|all| match which {
            "limits" => all.limits.as_ref(),
            _ => all.requests.as_ref(),
        });
        list.map(Resources::from_list).unwrap_or_default()
    };
    let (limits, requests) = (list("limits"), list("requests"));
    let has_request = container
        .resources
        .as_ref()
        .and_then(|all| all.requests.as_ref())
        .is_some_and(|list| list.contains_key("cpu"));
    // Without a request, the limit counts as one.
    let cpu = if has_request {
        requests.milli_cpu
    } else {
        limits.milli_cpu
    };
    let quota = cpu_quota(limits.milli_cpu);
    LinuxContainerResources {
        cpu_period: if quota == 0 { 0 } else { CPU_PERIOD },
        cpu_quota: quota,
        cpu_shares: cpu_shares(cpu),
        memory_limit_in_bytes: limits.memory,
        oom_score_adj: oom_score(pod, requests.memory, capacity),
        ..LinuxContainerResources::default()
    }
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
