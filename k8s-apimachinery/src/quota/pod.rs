//! What a pod costs: itself, and until it ends what it requests and limits.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Affinity, Container, Pod, PodAffinityTerm};

use super::{Footprint, Scopes, evaluator::one};
use crate::{
    ResourceList,
    pod::{
        qos::{self, QosClass},
        request::List,
        total,
    },
    resource_name::{HUGE_PAGES, REQUESTS, is_extended, is_native},
};

/// Names that pods are counted under.
const TRACKED: [&str; 10] = [
    "pods",
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
];
/// What each container must say where a quota limits it. Kubernetes regrets that, and keeps it.
const TO_BE_SAID: [&str; 6] = [
    "cpu",
    "memory",
    "requests.cpu",
    "requests.memory",
    "limits.cpu",
    "limits.memory",
];
/// Devices of a class, requested as a resource of a container (KEP-5004).
const DEVICE_CLASS: &str = "deviceclass.resource.kubernetes.io/";

pub(super) fn tracks(name: &str) -> bool {
    let requested = name.strip_prefix(REQUESTS);
    TRACKED.contains(&name)
        || requested.unwrap_or(name).starts_with(HUGE_PAGES)
        || requested.is_some_and(|own| !is_native(name) || own.starts_with(DEVICE_CLASS))
}

/// What a pod costs at a moment, as [`Evaluator::footprint`](super::Evaluator::footprint) tells of its tree.
pub fn footprint(pod: &Pod, now: Timestamp) -> Footprint {
    let mut footprint = of_life(pod, now);
    // Until it is removed, ended or not.
    let (name, amount) = one("count/pods");
    footprint.usage.insert(name, amount);
    footprint
}

/// What a pod costs beside its place in the store.
fn of_life(pod: &Pod, now: Timestamp) -> Footprint {
    let mut usage = ResourceList::default();
    if is_live(pod, now) {
        let (requests, limits) = (total::requests_charged(pod), total::limits_charged(pod));
        usage = named(&requests, &limits);
        usage.add(&[one("pods")].into_iter().collect());
    }
    let spec = pod.spec.as_ref();
    let class = spec.and_then(|spec| spec.priority_class_name.clone());
    Footprint {
        usage,
        scopes: Scopes::Pod {
            is_terminating: is_terminating(pod),
            is_best_effort: qos::class(pod) == QosClass::BestEffort,
            priority_class: class.filter(|name| !name.is_empty()),
            is_cross_namespace: spec
                .and_then(|spec| spec.affinity.as_ref())
                .is_some_and(looks_into_other_namespaces),
        },
        unsaid: unsaid(pod),
    }
}

/// Whether a pod counts in more than `count/pods`: neither has it ended, nor should it have by now.
pub fn is_live(pod: &Pod, now: Timestamp) -> bool {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    !matches!(phase, Some("Succeeded" | "Failed")) && overdue_from(pod).is_none_or(|due| now <= due)
}

/// When a pod that is being deleted no longer counts although it is still there: its node may be lost.
pub fn overdue_from(pod: &Pod) -> Option<Timestamp> {
    let deleted = pod.metadata.deletion_timestamp.as_ref()?.0;
    let grace = pod.metadata.deletion_grace_period_seconds?;
    deleted.checked_add(SignedDuration::from_secs(grace)).ok()
}

/// Whether an update of a pod may have made it cheaper, or moved it from one scope to another: who counts pods has to
/// count again.
pub fn may_free(old: &Pod, new: &Pod, now: Timestamp) -> bool {
    is_live(old, now) && !is_live(new, now)
        || is_terminating(old) != is_terminating(new)
        || total::requests_charged(old) != total::requests_charged(new)
        || total::limits_charged(old) != total::limits_charged(new)
}

/// Whether a pod has a deadline.
pub fn is_terminating(pod: &Pod) -> bool {
    let spec = pod.spec.as_ref();
    spec.is_some_and(|spec| {
        spec.active_deadline_seconds
            .is_some_and(|seconds| seconds >= 0)
    })
}

/// Amounts under the names that quotas have for them.
fn named(requests: &ResourceList, limits: &ResourceList) -> ResourceList {
    let mut usage = ResourceList::default();
    for (name, amount) in requests.iter() {
        let is_plain = matches!(name, "cpu" | "memory" | "ephemeral-storage");
        let is_own = is_plain || name.starts_with(HUGE_PAGES);
        if is_own {
            usage.insert(name, amount);
        }
        if is_own || is_extended(name) || name.starts_with(DEVICE_CLASS) {
            usage.insert(format!("{REQUESTS}{name}"), amount);
        }
    }
    for (name, amount) in limits.iter() {
        if matches!(name, "cpu" | "memory" | "ephemeral-storage") {
            usage.insert(format!("limits.{name}"), amount);
        }
    }
    usage
}

/// The containers that leave out what must be said. None, if the pod speaks for them.
fn unsaid(pod: &Pod) -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut unsaid = BTreeMap::<_, BTreeSet<String>>::new();
    let Some(spec) = &pod.spec else {
        return unsaid;
    };
    if total::is_set_on_pod(pod) {
        return unsaid;
    }
    let init = spec.init_containers.iter().flatten();
    for container in spec.containers.iter().chain(init) {
        let said = said(container);
        for name in TO_BE_SAID.iter().filter(|name| !said.contains(name)) {
            let containers = unsaid.entry(*name).or_default();
            containers.insert(container.name.clone());
        }
    }
    unsaid
}

fn said(container: &Container) -> ResourceList {
    let list = |list: Option<&List>| list.map(ResourceList::from_map).unwrap_or_default();
    let resources = container.resources.as_ref();
    named(
        &list(resources.and_then(|r| r.requests.as_ref())),
        &list(resources.and_then(|r| r.limits.as_ref())),
    )
}

fn looks_into_other_namespaces(affinity: &Affinity) -> bool {
    let is_foreign = |term: &PodAffinityTerm| {
        term.namespaces
            .as_ref()
            .is_some_and(|names| !names.is_empty())
            || term.namespace_selector.is_some()
    };
    let near = affinity.pod_affinity.iter();
    let far = affinity.pod_anti_affinity.iter();
    let required = near
        .clone()
        .flat_map(|near| &near.required_during_scheduling_ignored_during_execution)
        .chain(
            far.clone()
                .flat_map(|far| &far.required_during_scheduling_ignored_during_execution),
        )
        .flatten();
    let preferred = near
        .flat_map(|near| &near.preferred_during_scheduling_ignored_during_execution)
        .chain(far.flat_map(|far| &far.preferred_during_scheduling_ignored_during_execution))
        .flatten()
        .map(|weighted| &weighted.pod_affinity_term);
    required.chain(preferred).any(is_foreign)
}

#[cfg(test)]
mod tests;
