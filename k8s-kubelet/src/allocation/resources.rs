//! The resources of a pod's containers that may change while they run. Pure.

use std::{collections::BTreeMap, sync::Arc};

use k8s_apimachinery::{pod::request::is_restartable_init, quantity::Quantity};
use k8s_openapi::{
    api::core::v1::{Container, Pod, PodStatus, ResourceRequirements},
    apimachinery::pkg::api::resource,
};

/// What each resizable container may use, by its name.
pub(crate) type Claims = BTreeMap<String, ResourceRequirements>;

type List = BTreeMap<String, resource::Quantity>;

/// Main containers and sidecars; init containers that end are too short-lived for it.
pub(crate) fn is_resizable(container: &Container, is_init: bool) -> bool {
    !is_init || is_restartable_init(container)
}

/// The resizable containers of a pod.
fn containers(pod: &Pod) -> impl Iterator<Item = &Container> {
    let spec = pod.spec.iter();
    spec.flat_map(|spec| {
        let init = spec.init_containers.iter().flatten();
        let init = init.filter(|container| is_resizable(container, true));
        spec.containers.iter().chain(init)
    })
}

/// What the pod's spec claims.
pub(crate) fn claims(pod: &Pod) -> Claims {
    containers(pod)
        .map(|container| {
            let resources = container.resources.clone();
            (container.name.clone(), resources.unwrap_or_default())
        })
        .collect()
}

/// The pod with these claims instead of its own; the same pod if they are its own.
pub(crate) fn with_claims(pod: &Arc<Pod>, wanted: &Claims) -> Arc<Pod> {
    if !differ(&claims(pod), wanted) {
        return pod.clone();
    }
    let mut pod = Pod::clone(pod);
    let spec = pod.spec.get_or_insert_default();
    let init = spec.init_containers.iter_mut().flatten();
    for container in spec.containers.iter_mut().chain(init) {
        if let Some(resources) = wanted.get(&container.name) {
            container.resources = Some(resources.clone());
        }
    }
    Arc::new(pod)
}

/// Whether some container that both know may use more or less under the one than under the other.
pub(crate) fn differ(one: &Claims, other: &Claims) -> bool {
    let mut pairs = one
        .iter()
        .filter_map(|(name, one)| Some((one, other.get(name)?)));
    pairs.any(|(one, other)| {
        !is_same(&one.requests, &other.requests) || !is_same(&one.limits, &other.limits)
    })
}

/// Amounts are compared, not how they are written.
fn is_same(one: &Option<List>, other: &Option<List>) -> bool {
    let amounts = |list: &Option<List>| -> Vec<(String, Option<Quantity>)> {
        let list = list.iter().flatten();
        list.map(|(name, amount)| (name.clone(), amount.0.parse().ok()))
            .collect()
    };
    amounts(one) == amounts(other)
}

/// The pod without what its status says it holds: for sums of what the spec asks for alone.
pub(crate) fn asked(pod: &Pod) -> Pod {
    let qos_class = pod
        .status
        .as_ref()
        .and_then(|status| status.qos_class.clone());
    Pod {
        metadata: pod.metadata.clone(),
        spec: pod.spec.clone(),
        status: Some(PodStatus {
            qos_class,
            ..PodStatus::default()
        }),
    }
}
