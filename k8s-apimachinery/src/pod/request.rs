//! Effective resource requests and limits of a pod: what scheduling, admission and cgroups count.
//!
//! A pod needs the sum of its containers, or what its init phase needs if that is more. Init
//! containers run one after another, except that restartable ones ("sidecars") stay: they count for
//! every later init container and for the main phase. Requests on the pod itself replace the
//! aggregate for the resources they name; the runtime class' overhead comes on top.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource;

use crate::quantity::Quantity;

/// Milli-CPU that scoring assumes for a container that requests none.
pub const DEFAULT_MILLI_CPU: i64 = 100;
/// Bytes of memory that scoring assumes for a container that requests none.
pub const DEFAULT_MEMORY: i64 = 200 * 1024 * 1024;

/// Amounts of resources as integers, ready to be added and compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// CPU in thousandths of a core.
    pub milli_cpu: i64,
    /// Memory in bytes.
    pub memory: i64,
    /// Local ephemeral storage in bytes.
    pub ephemeral_storage: i64,
    /// Huge pages, extended resources and all others, in their own units.
    pub scalar: BTreeMap<String, i64>,
}

impl Resources {
    /// Reads a resource list. Amounts that are no quantities count as zero: validation rejects them
    /// before they are stored.
    pub fn from_list(list: &BTreeMap<String, resource::Quantity>) -> Self {
        let mut resources = Self::default();
        for (name, amount) in list {
            let Ok(amount) = amount.0.parse::<Quantity>() else {
                continue;
            };
            let amount = match name.as_str() {
                "cpu" => amount.milli_value(),
                _ => amount.value(),
            };
            resources.set(name, amount);
        }
        resources
    }

    /// The amount of the named resource (thousandths for `cpu`); zero when absent.
    pub fn get(&self, name: &str) -> i64 {
        match name {
            "cpu" => self.milli_cpu,
            "memory" => self.memory,
            "ephemeral-storage" => self.ephemeral_storage,
            other => self.scalar.get(other).copied().unwrap_or(0),
        }
    }

    /// Sets the amount of the named resource (thousandths for `cpu`).
    pub fn set(&mut self, name: &str, amount: i64) {
        match name {
            "cpu" => self.milli_cpu = amount,
            "memory" => self.memory = amount,
            "ephemeral-storage" => self.ephemeral_storage = amount,
            other => {
                self.scalar.insert(other.to_owned(), amount);
            }
        }
    }

    /// Adds `other`, resource by resource.
    pub fn add(&mut self, other: &Resources) {
        self.merge(other, i64::saturating_add);
    }

    /// Subtracts `other`, resource by resource.
    pub fn sub(&mut self, other: &Resources) {
        self.merge(other, i64::saturating_sub);
    }

    /// Raises each resource to `other`'s amount where that is greater.
    pub fn raise(&mut self, other: &Resources) {
        self.merge(other, i64::max);
    }

    /// Every named amount that isn't zero, `cpu` in thousandths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i64)> {
        let fixed = [
            ("cpu", self.milli_cpu),
            ("memory", self.memory),
            ("ephemeral-storage", self.ephemeral_storage),
        ];
        let scalar = self.scalar.iter().map(|(name, n)| (name.as_str(), *n));
        fixed.into_iter().chain(scalar).filter(|(_, n)| *n != 0)
    }

    fn merge(&mut self, other: &Resources, combine: fn(i64, i64) -> i64) {
        self.milli_cpu = combine(self.milli_cpu, other.milli_cpu);
        self.memory = combine(self.memory, other.memory);
        self.ephemeral_storage = combine(self.ephemeral_storage, other.ephemeral_storage);
        for (name, amount) in &other.scalar {
            let mine = self.scalar.entry(name.clone()).or_default();
            *mine = combine(*mine, *amount);
        }
    }
}

/// What the pod requests, as the scheduler counts it against a node.
///
/// While a resize is under way the greater of the desired, the allocated and the actual request of
/// each container counts, so that a node is never promised twice.
pub fn requests(pod: &Pod) -> Resources {
    let mut total = aggregate(pod, |container| container_requests(pod, container));
    replace_by_pod_level(pod, &mut total, |resources| resources.requests.as_ref());
    total.add(&overhead(pod));
    total
}

/// What the containers request together, before pod-level requests and overhead.
pub fn container_requests_together(pod: &Pod) -> Resources {
    aggregate(pod, |container| list_of(container, |r| r.requests.as_ref()))
}

/// What the pod may use at most, for the resources that it limits; zero means unlimited.
pub fn limits(pod: &Pod) -> Resources {
    let mut total = aggregate(pod, |container| list_of(container, |r| r.limits.as_ref()));
    replace_by_pod_level(pod, &mut total, |resources| resources.limits.as_ref());
    for (name, amount) in overhead(pod).iter() {
        let limit = total.get(name);
        if limit != 0 {
            total.set(name, limit + amount);
        }
    }
    total
}

/// Like [`requests`], but containers that request no CPU or memory count with
/// [`DEFAULT_MILLI_CPU`] and [`DEFAULT_MEMORY`], so that scoring spreads them as well.
pub fn requests_for_scoring(pod: &Pod) -> Resources {
    let declares = |name: &str| {
        let declared = pod_level(pod).and_then(|r| r.requests.as_ref());
        declared.is_some_and(|list| list.contains_key(name))
    };
    let mut total = aggregate(pod, |container| {
        let mut amounts = container_requests(pod, container);
        let requested = |name: &str| {
            let list = container.resources.as_ref()?.requests.as_ref()?;
            list.get(name)
        };
        if requested("cpu").is_none() && !declares("cpu") {
            amounts.milli_cpu = DEFAULT_MILLI_CPU;
        }
        if requested("memory").is_none() && !declares("memory") {
            amounts.memory = DEFAULT_MEMORY;
        }
        amounts
    });
    replace_by_pod_level(pod, &mut total, |resources| resources.requests.as_ref());
    total.add(&overhead(pod));
    total
}

/// Whether an init container keeps running beside the main containers (a "sidecar").
pub fn is_restartable_init(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

/// Whether the resource may be requested on the pod as a whole.
pub fn is_pod_level_resource(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || name.starts_with("hugepages-")
}

/// What can be summed up over the containers of a pod.
pub(super) trait Sum: Clone + Default {
    /// Adds `other`, resource by resource.
    fn add(&mut self, other: &Self);
    /// Raises each resource to `other`'s amount where that is greater.
    fn raise(&mut self, other: &Self);
}

impl Sum for Resources {
    fn add(&mut self, other: &Self) {
        Resources::add(self, other);
    }

    fn raise(&mut self, other: &Self) {
        Resources::raise(self, other);
    }
}

/// What the containers need together, or what the init phase needs if that is more.
pub(super) fn aggregate<S: Sum>(pod: &Pod, amounts_of: impl Fn(&Container) -> S) -> S {
    let mut total = S::default();
    let Some(spec) = &pod.spec else { return total };
    for container in &spec.containers {
        total.add(&amounts_of(container));
    }
    let mut sidecars = S::default();
    let mut peak = S::default();
    for container in spec.init_containers.iter().flatten() {
        let mut now = amounts_of(container);
        if is_restartable_init(container) {
            total.add(&now);
            sidecars.add(&now);
            now = sidecars.clone();
        } else {
            now.add(&sidecars);
        }
        peak.raise(&now);
    }
    total.raise(&peak);
    total
}

fn container_requests(pod: &Pod, container: &Container) -> Resources {
    let desired = list_of(container, |r| r.requests.as_ref());
    while_resizing(pod, container, desired, |running| {
        let held = requests_held(running);
        held.map(Resources::from_list).collect()
    })
}

/// What a running container requests: in fact, and as its node has agreed to.
pub(super) fn requests_held(running: &ContainerStatus) -> impl Iterator<Item = &List> {
    let actual = running.resources.as_ref().and_then(|r| r.requests.as_ref());
    actual.into_iter().chain(&running.allocated_resources)
}

/// The greater of what a container shall have and what it holds.
pub(super) fn while_resizing<S: Sum>(
    pod: &Pod,
    container: &Container,
    mut desired: S,
    held: impl Fn(&ContainerStatus) -> Vec<S>,
) -> S {
    let Some(status) = &pod.status else {
        return desired;
    };
    let statuses = status.container_statuses.iter().flatten();
    let mut statuses = statuses.chain(status.init_container_statuses.iter().flatten());
    let Some(running) = statuses.find(|s| s.name == container.name) else {
        return desired;
    };
    let held = held(running);
    // A resize that can never happen on this node must not block others.
    if !held.is_empty() && is_resize_infeasible(pod) {
        desired = S::default();
    }
    for amounts in &held {
        desired.raise(amounts);
    }
    desired
}

fn is_resize_infeasible(pod: &Pod) -> bool {
    super::readiness::condition(pod, "PodResizePending")
        .is_some_and(|c| c.status == "True" && c.reason.as_deref() == Some("Infeasible"))
}

/// A resource list as the API's types have it.
pub(crate) type List = BTreeMap<String, resource::Quantity>;

fn list_of(
    container: &Container,
    pick: impl Fn(&ResourceRequirements) -> Option<&List>,
) -> Resources {
    let list = container.resources.as_ref().and_then(pick);
    list.map(Resources::from_list).unwrap_or_default()
}

pub(super) fn pod_level(pod: &Pod) -> Option<&ResourceRequirements> {
    pod.spec.as_ref()?.resources.as_ref()
}

fn replace_by_pod_level(
    pod: &Pod,
    total: &mut Resources,
    pick: impl Fn(&ResourceRequirements) -> Option<&List>,
) {
    let Some(list) = pod_level(pod).and_then(pick) else {
        return;
    };
    let amounts = Resources::from_list(list);
    for name in list.keys().filter(|name| is_pod_level_resource(name)) {
        total.set(name, amounts.get(name));
    }
}

fn overhead(pod: &Pod) -> Resources {
    let list = pod.spec.as_ref().and_then(|spec| spec.overhead.as_ref());
    list.map(Resources::from_list).unwrap_or_default()
}

#[cfg(test)]
mod tests;
