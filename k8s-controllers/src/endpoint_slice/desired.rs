//! The endpoints that a service should have, grouped by address family and ports.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use k8s_apimachinery::pod::readiness;
use k8s_openapi::api::{
    core::v1::{Pod, Service},
    discovery::v1::{Endpoint, EndpointConditions},
};

use crate::endpoint::{self, Port};

/// What all endpoints of a slice have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    /// `IPv4` or `IPv6`.
    pub(super) address_type: &'static str,
    pub(super) ports: Vec<Port>,
}

/// Endpoints by group; every family of the service has at least one group, if an empty one.
pub(super) type Desired = BTreeMap<Group, Vec<Endpoint>>;

/// Makes endpoints of the pods that the service selects. `zone` tells the zone of a node.
pub(super) fn desired(
    service: &Service,
    pods: &[Arc<Pod>],
    zone: impl Fn(&str) -> Option<String>,
) -> Desired {
    let mut groups = Desired::new();
    for family in families(service) {
        for pod in pods {
            let addresses = endpoint::addresses(pod).into_iter();
            let addresses: Vec<String> = addresses
                .filter(|address| family_of(address) == Some(family))
                .map(str::to_owned)
                .collect();
            if addresses.is_empty() {
                continue;
            }
            let group = Group {
                address_type: family,
                ports: endpoint::ports(service, pod),
            };
            let endpoint = endpoint_of(service, pod, addresses, &zone);
            groups.entry(group).or_default().push(endpoint);
        }
        if !groups.keys().any(|group| group.address_type == family) {
            let placeholder = Group {
                address_type: family,
                ports: Vec::new(),
            };
            groups.insert(placeholder, Vec::new());
        }
    }
    groups
}

fn endpoint_of(
    service: &Service,
    pod: &Pod,
    addresses: Vec<String>,
    zone: impl Fn(&str) -> Option<String>,
) -> Endpoint {
    let is_serving = readiness::is_ready(pod);
    let is_terminating = readiness::is_terminating(pod);
    let is_ready = endpoint::publishes_not_ready(service) || (is_serving && !is_terminating);
    let node = readiness::node_name(pod);
    Endpoint {
        addresses,
        conditions: Some(EndpointConditions {
            ready: Some(is_ready),
            serving: Some(is_serving),
            terminating: Some(is_terminating),
        }),
        hostname: endpoint::hostname(service, pod),
        node_name: node.map(str::to_owned),
        zone: node.and_then(zone),
        target_ref: Some(endpoint::target_ref(pod)),
        ..Endpoint::default()
    }
}

/// The families that the service is in; IPv4 when it doesn't say.
fn families(service: &Service) -> Vec<&'static str> {
    let spec = service.spec.as_ref();
    let named = spec.and_then(|spec| spec.ip_families.as_deref());
    let known = named.unwrap_or_default().iter();
    let families: Vec<_> = known
        .filter_map(|family| match family.as_str() {
            "IPv4" => Some("IPv4"),
            "IPv6" => Some("IPv6"),
            _ => None,
        })
        .collect();
    if families.is_empty() {
        vec!["IPv4"]
    } else {
        families
    }
}

fn family_of(address: &str) -> Option<&'static str> {
    match address.parse().ok()? {
        IpAddr::V4(_) => Some("IPv4"),
        IpAddr::V6(_) => Some("IPv6"),
    }
}
