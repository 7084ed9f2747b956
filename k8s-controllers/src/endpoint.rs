//! What services see of pods: which pods, under which ports. EndpointSlices and Endpoints both
//! follow from here.

use k8s_apimachinery::pod::{readiness, request};
use k8s_openapi::{
    api::core::v1::{Container, ObjectReference, Pod, Service, ServicePort},
    apimachinery::pkg::util::intstr::IntOrString,
};
use k8s_runtime::{Event, Key, Store};
use kube::core::{Selector, SelectorExt};

/// The label of objects that belong to a headless service.
pub(crate) const HEADLESS_LABEL: &str = "service.kubernetes.io/headless";

/// A port as pods serve it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Port {
    pub(crate) name: Option<String>,
    pub(crate) protocol: String,
    pub(crate) port: i32,
    pub(crate) app_protocol: Option<String>,
}

/// The selector of a service whose endpoints follow from pods; `None` when its owner manages them,
/// or it is only a name for something outside.
pub(crate) fn selector(service: &Service) -> Option<Selector> {
    let spec = service.spec.as_ref()?;
    if spec.type_.as_deref() == Some("ExternalName") {
        return None;
    }
    let labels = spec.selector.clone().filter(|labels| !labels.is_empty())?;
    Some(labels.into_iter().collect())
}

/// Whether the service has no address of its own.
pub(crate) fn is_headless(service: &Service) -> bool {
    let spec = service.spec.as_ref();
    spec.and_then(|spec| spec.cluster_ip.as_deref()) == Some("None")
}

/// Whether pods that aren't ready are published as if they were.
pub(crate) fn publishes_not_ready(service: &Service) -> bool {
    let spec = service.spec.as_ref();
    let publishes = spec.and_then(|spec| spec.publish_not_ready_addresses);
    publishes.unwrap_or(false)
}

/// The ports of the service as this pod serves them; a named port that the pod lacks is left out.
pub(crate) fn ports(service: &Service, pod: &Pod) -> Vec<Port> {
    let wanted = service
        .spec
        .iter()
        .flat_map(|spec| spec.ports.iter().flatten());
    let mut ports: Vec<Port> = wanted
        .filter_map(|port| {
            Some(Port {
                name: port.name.clone().filter(|name| !name.is_empty()),
                protocol: protocol(port).to_owned(),
                port: target(port, pod)?,
                app_protocol: port.app_protocol.clone(),
            })
        })
        .collect();
    ports.sort();
    ports
}

/// All addresses of a pod that may be an endpoint: it has some, and hasn't ended.
pub(crate) fn addresses(pod: &Pod) -> Vec<&str> {
    let Some(status) = &pod.status else {
        return Vec::new();
    };
    if readiness::is_terminal(pod) {
        return Vec::new();
    }
    let all = status.pod_ips.iter().flatten().map(|ip| ip.ip.as_str());
    let mut addresses: Vec<&str> = all.filter(|ip| !ip.is_empty()).collect();
    let primary = status.pod_ip.as_deref().filter(|ip| !ip.is_empty());
    if let Some(primary) = primary
        && addresses.is_empty()
    {
        addresses.push(primary);
    }
    addresses
}

/// The pod's own name below the service's, if it asks for one there.
pub(crate) fn hostname(service: &Service, pod: &Pod) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let is_below = spec.subdomain.is_some() && spec.subdomain == service.metadata.name;
    spec.hostname
        .clone()
        .filter(|hostname| is_below && !hostname.is_empty())
}

/// A reference to the pod behind an address.
pub(crate) fn target_ref(pod: &Pod) -> ObjectReference {
    ObjectReference {
        kind: Some("Pod".into()),
        namespace: pod.metadata.namespace.clone(),
        name: pod.metadata.name.clone(),
        uid: pod.metadata.uid.clone(),
        ..ObjectReference::default()
    }
}

/// The services that an event of a pod concerns: those that select it or did.
pub(crate) fn services_of(services: &Store<Service>, event: &Event<Pod>) -> Vec<Key> {
    let pod = event.object();
    let old = event.old();
    if old.is_some_and(|old| !is_news(old, pod)) {
        return Vec::new();
    }
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let states = || old.into_iter().chain([pod]);
    let concerned = services.list_in(namespace).into_iter().filter(|service| {
        let Some(selector) = selector(service) else {
            return false;
        };
        states().any(|pod| {
            let labels = pod.metadata.labels.as_ref();
            labels.is_some_and(|labels| selector.matches(labels))
        })
    });
    concerned.map(|service| Key::of(&*service)).collect()
}

/// Whether a change of a pod can change an endpoint.
fn is_news(old: &Pod, new: &Pod) -> bool {
    old.metadata.labels != new.metadata.labels
        || old.metadata.deletion_timestamp != new.metadata.deletion_timestamp
        || addresses(old) != addresses(new)
        || readiness::is_ready(old) != readiness::is_ready(new)
        || readiness::node_name(old) != readiness::node_name(new)
        || old.metadata.uid != new.metadata.uid
}

fn protocol(port: &ServicePort) -> &str {
    port.protocol.as_deref().unwrap_or("TCP")
}

fn target(port: &ServicePort, pod: &Pod) -> Option<i32> {
    match &port.target_port {
        None => Some(port.port),
        Some(IntOrString::Int(0)) => Some(port.port),
        Some(IntOrString::Int(number)) => Some(*number),
        Some(IntOrString::String(name)) => named_port(pod, name, protocol(port)),
    }
}

/// The number of a named port, in a main container or a sidecar.
fn named_port(pod: &Pod, name: &str, protocol: &str) -> Option<i32> {
    let spec = pod.spec.as_ref()?;
    let init = spec.init_containers.iter().flatten();
    let sidecars = init.filter(|container| request::is_restartable_init(container));
    let containers = spec.containers.iter().chain(sidecars);
    let in_container = |container: &Container| {
        let mut ports = container.ports.iter().flatten();
        let found = ports.find(|port| {
            port.name.as_deref() == Some(name)
                && port.protocol.as_deref().unwrap_or("TCP") == protocol
        });
        found.map(|port| port.container_port)
    };
    let mut found = containers.filter_map(in_container);
    found.next()
}
