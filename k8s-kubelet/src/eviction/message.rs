//! What an evicted pod is told, in Kubernetes' words, the blank at the end of each sentence included. Pure.

use k8s_apimachinery::quantity::{Format, Quantity};
use k8s_openapi::api::core::v1::{Pod, ResourceRequirements};

use super::{Scarce, Threshold, starved::Observations};
use crate::usage;

/// Why the pod gives way: what the node was short of, and which of its containers use more than they requested.
pub(super) fn message(
    scarce: Scarce,
    pod: &Pod,
    usage: Option<&usage::Pod>,
    thresholds: &[Threshold],
    observations: &Observations,
) -> String {
    let name = scarce.as_str();
    let mut message = format!("The node was low on resource: {name}. ");
    let met = thresholds.iter().find_map(|threshold| {
        let observed = observations.get(&threshold.signal)?;
        (threshold.signal.scarce() == scarce).then_some((threshold, observed))
    });
    if let Some((threshold, observed)) = met {
        let level = threshold.value.of(observed.capacity);
        let left = observed.available(threshold.signal);
        message += &format!("Threshold quantity: {level}, available: {left}. ");
    }
    let Some(usage) = usage else {
        return message;
    };
    let of_pod = pod.spec.as_ref().and_then(|spec| spec.resources.as_ref());
    if let (Scarce::Memory, Some(requested)) = (scarce, request(of_pod, scarce)) {
        let used = usage.memory.and_then(|memory| memory.working_set_bytes);
        let used = bytes(used.unwrap_or_default());
        let pod = pod.metadata.name.as_deref().unwrap_or_default();
        message += &format!(
            "Pod {pod} was using {used}, request is {requested}, has larger consumption of {name}. "
        );
    }
    for container in &usage.containers {
        let spec = pod.spec.as_ref();
        let mut all = spec.into_iter().flat_map(|spec| {
            let init = spec.init_containers.iter().flatten();
            spec.containers.iter().chain(init)
        });
        let Some(spec) = all.find(|spec| spec.name == container.name) else {
            continue;
        };
        let used = match scarce {
            Scarce::Memory => container.memory.and_then(|memory| memory.working_set_bytes),
            Scarce::EphemeralStorage => {
                let used = |disk: Option<usage::Disk>| disk.and_then(|disk| disk.used_bytes);
                used(container.rootfs)
                    .zip(used(container.logs))
                    .map(|(a, b)| a + b)
            }
            Scarce::Inodes | Scarce::Pids => None,
        };
        let requested = request(spec.resources.as_ref(), scarce).unwrap_or(Quantity::ZERO);
        if let Some(used) = used.map(bytes).filter(|used| *used > requested) {
            message += &format!(
                "Container {} was using {used}, request is {requested}, has larger consumption of {name}. ",
                container.name
            );
        }
    }
    message
}

fn request(resources: Option<&ResourceRequirements>, scarce: Scarce) -> Option<Quantity> {
    let requests = resources?.requests.as_ref()?;
    requests.get(scarce.as_str())?.0.parse().ok()
}

fn bytes(amount: u64) -> Quantity {
    Quantity::new(i64::try_from(amount).unwrap_or(i64::MAX), Format::Binary)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::eviction::{
        EvictionConfig, Signal,
        rank::tests::{pod, using},
        starved::Observed,
    };

    #[test]
    fn it_tells_level_rest_and_the_containers_at_fault() {
        let thresholds = EvictionConfig::default().thresholds().unwrap();
        let observed = |available, capacity| Observed {
            available,
            capacity,
        };
        let observations = Observations::from([
            (Signal::MemoryAvailable, observed(97 << 20, 1 << 30)),
            (Signal::NodeFsInodesFree, observed(40, 1000)),
        ]);
        let pod = pod("p", 0, json!({"memory": "64Mi"}));
        let usage = using("p", 100 << 20, 0, 0);
        let text = |scarce, usage| message(scarce, &pod, usage, &thresholds, &observations);
        assert_eq!(
            text(Scarce::Memory, Some(&usage)),
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 97Mi. \
             Container c was using 100Mi, request is 64Mi, has larger consumption of memory. "
        );
        assert_eq!(
            text(Scarce::Inodes, Some(&usage)),
            "The node was low on resource: inodes. Threshold quantity: 50, available: 40. "
        );
        assert_eq!(
            text(Scarce::Pids, None),
            "The node was low on resource: pids. "
        );
    }
}
