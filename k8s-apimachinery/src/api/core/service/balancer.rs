//! What only load balancers have, and how they are reached.

use std::net::IpAddr;

use serde_json::{Map, Value};

use crate::api::core::pod_spec::check_ip;
use crate::api::{Edit, Field};
use crate::ip::Network;
use crate::name;

const ONLY: &str = "may only be used when `type` is 'LoadBalancer'";
const RANGES_ANNOTATION: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";

/// Traffic to an address of a load balancer comes to the nodes for that address, unless it says otherwise.
pub(super) fn default(service: &mut Map<String, Value>) {
    let status = service.object("status");
    let Some(balancer) = status.and_then(|status| status.object("loadBalancer")) else {
        return;
    };
    for point in balancer.objects("ingress") {
        if !point.text("ip").is_empty() {
            point.fill("ipMode", "VIP");
        }
    }
}

/// Checks what only load balancers have.
pub(super) fn check(object: &Field, spec: &Field) {
    let is_balanced = spec.get("type").str() == "LoadBalancer";
    check_ranges(object, spec, is_balanced);
    for field in ["allocateLoadBalancerNodePorts", "loadBalancerClass"] {
        let field = spec.get(field);
        if field.is_set() && !is_balanced {
            field.forbidden(ONLY);
        }
    }
    let class = spec.get("loadBalancerClass");
    if class.is_set() && is_balanced {
        class.invalid_for(name::qualified_name(class.str()));
    }
}

fn check_ranges(object: &Field, spec: &Field, is_balanced: bool) {
    let ranges = spec.get("loadBalancerSourceRanges");
    if !ranges.is_empty() {
        // Kubernetes names the field as its own type does.
        let shown = spec.get("LoadBalancerSourceRanges");
        let shown = shown.holding(&ranges);
        if !is_balanced {
            shown.forbidden(ONLY);
        }
        shown
            .items()
            .for_each(|range| check_range(&range, range.str()));
        return;
    }
    let metadata = object.get("metadata");
    let annotations = metadata.get("annotations");
    let ranges = annotations.key(RANGES_ANNOTATION);
    if ranges.is_set() {
        if !is_balanced {
            ranges.forbidden(ONLY);
        }
        if !ranges.str().trim().is_empty() {
            let listed = ranges.str().split(',');
            listed.for_each(|range| check_range(&ranges, range));
        }
    }
}

fn check_range(field: &Field, range: &str) {
    let range = range.trim();
    if let Err(fault) = range.parse::<Network>() {
        field.invalid_value(range, fault.to_string());
    }
}

/// Checks where a balancer is reached, as the status tells.
pub(super) fn check_entry_point(point: &Field) {
    let [ip, mode, hostname] = ["ip", "ipMode", "hostname"].map(|field| point.get(field));
    if !ip.is_empty() {
        check_ip(&ip);
    }
    match (ip.is_empty(), mode.is_set()) {
        (false, false) => mode.required("must be specified when `ip` is set"),
        (true, true) => mode.forbidden("may not be specified when `ip` is not set"),
        _ => mode.may_be_one_of(&["Proxy", "VIP"]),
    }
    if !hostname.is_empty() {
        hostname.invalid_for(name::dns1123_subdomain(hostname.str()));
        if hostname.str().parse::<IpAddr>().is_ok() {
            hostname.invalid("must be a DNS name, not an IP address");
        }
    }
}
