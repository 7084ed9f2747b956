//! Whether a pod takes more of the node's disk than it may. Pure.

use k8s_apimachinery::{pod::total, quantity::Quantity};
use k8s_openapi::api::core::v1::Pod;

use crate::usage;

/// Whether the pod has a limit that this module watches.
pub(super) fn is_limited(pod: &Pod) -> bool {
    let spec = pod.spec.iter();
    let mut volumes = spec.flat_map(|spec| spec.volumes.iter().flatten());
    let has_size = volumes.any(|volume| {
        let scratch = volume.empty_dir.as_ref();
        scratch.is_some_and(|scratch| scratch.size_limit.is_some())
    });
    has_size || total::limits_asked(pod).get("ephemeral-storage").is_some()
}

/// Which limit the pod is over, in Kubernetes' words. A disk of its own for images and layers leaves layers uncounted.
pub(super) fn excess(pod: &Pod, usage: &usage::Pod, is_split: bool) -> Option<String> {
    let scratch = of_volumes(pod, usage);
    scratch
        .or_else(|| of_pod(pod, usage))
        .or_else(|| of_containers(pod, usage, is_split))
}

fn of_volumes(pod: &Pod, usage: &usage::Pod) -> Option<String> {
    let volumes = pod.spec.as_ref()?.volumes.iter().flatten();
    let mut limited = volumes.filter_map(|volume| {
        let limit = volume.empty_dir.as_ref()?.size_limit.as_ref()?;
        let limit: Quantity = limit.0.parse().ok()?;
        Some((&volume.name, limit))
    });
    let (name, limit) = limited.find(|(name, limit)| {
        let found = usage.volumes.iter().find(|found| found.name == **name);
        let used = found.and_then(|found| found.disk.used_bytes);
        limit.value() > 0 && signed(used) > limit.value()
    })?;
    Some(format!(
        "Usage of EmptyDir volume \"{name}\" exceeds the limit \"{limit}\". "
    ))
}

fn of_pod(pod: &Pod, usage: &usage::Pod) -> Option<String> {
    let limit = total::limits_asked(pod).get("ephemeral-storage")?;
    let used = usage.ephemeral_storage.and_then(|disk| disk.used_bytes);
    (signed(used) > limit.value()).then(|| {
        format!("Pod ephemeral local storage usage exceeds the total limit of containers {limit}. ")
    })
}

fn of_containers(pod: &Pod, usage: &usage::Pod, is_split: bool) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    usage.containers.iter().find_map(|container| {
        let mut specs = spec.containers.iter();
        let spec = specs.find(|spec| spec.name == container.name)?;
        let limits = spec.resources.as_ref()?.limits.as_ref()?;
        let limit: Quantity = limits.get("ephemeral-storage")?.0.parse().ok()?;
        let used = |disk: Option<usage::Disk>| signed(disk.and_then(|disk| disk.used_bytes));
        let layer = if is_split { 0 } else { used(container.rootfs) };
        let sum = used(container.logs).saturating_add(layer);
        (!limit.is_zero() && sum > limit.value()).then(|| {
            let name = &container.name;
            format!("Container {name} exceeded its local ephemeral storage limit \"{limit}\". ")
        })
    })
}

fn signed(number: Option<u64>) -> i64 {
    i64::try_from(number.unwrap_or_default()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{eviction::rank::tests::using, usage::Volume};

    /// A pod with layers of 60 bytes, logs of 50 and a volume of 40.
    #[track_caller]
    fn check(limits: Value, volume: Value, is_split: bool, expected: Option<&str>) {
        let pod: Pod = serde_json::from_value(json!({"spec": {
            "containers": [{"name": "c", "resources": {"limits": limits}}, {"name": "d"}],
            "volumes": [{"name": "v", "emptyDir": volume}],
        }}))
        .unwrap();
        let mut usage = using("p", 0, 60, 50);
        let mut disk = usage.ephemeral_storage.unwrap();
        disk.used_bytes = Some(150);
        usage.ephemeral_storage = Some(disk);
        disk.used_bytes = Some(40);
        usage.volumes.push(Volume {
            name: "v".into(),
            disk,
            claim: None,
        });
        assert_eq!(excess(&pod, &usage, is_split).as_deref(), expected);
        let is_unlimited = limits == json!({}) && volume == json!({});
        assert_eq!(is_limited(&pod), !is_unlimited);
    }

    #[test]
    fn each_limit_has_its_own_words() {
        let storage = |amount: &str| json!({"ephemeral-storage": amount});
        check(json!({}), json!({}), false, None);
        check(json!({}), json!({"sizeLimit": "40"}), false, None);
        check(json!({}), json!({"sizeLimit": "0"}), false, None);
        check(
            json!({}),
            json!({"sizeLimit": "39"}),
            false,
            Some("Usage of EmptyDir volume \"v\" exceeds the limit \"39\". "),
        );
        check(
            storage("149"),
            json!({}),
            false,
            Some("Pod ephemeral local storage usage exceeds the total limit of containers 149. "),
        );
        check(storage("150"), json!({}), false, None);
    }

    #[test]
    fn a_container_is_charged_for_its_layer_if_it_is_on_the_same_disk() {
        let check = |limit: i64, is_split: bool, is_over: bool| {
            let limits = json!({"ephemeral-storage": limit.to_string()});
            let pod: Pod = serde_json::from_value(json!({"spec": {"containers": [
                {"name": "c", "resources": {"limits": limits}},
            ]}}))
            .unwrap();
            let mut usage = using("p", 0, 60, 50);
            // What the whole pod takes is told elsewhere.
            usage.ephemeral_storage = None;
            let expected = is_over.then(|| {
                format!("Container c exceeded its local ephemeral storage limit \"{limit}\". ")
            });
            assert_eq!(excess(&pod, &usage, is_split), expected);
        };
        check(109, false, true);
        check(110, false, false);
        check(50, true, false);
        check(49, true, true);
    }
}
