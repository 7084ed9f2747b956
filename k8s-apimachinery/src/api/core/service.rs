//! Service: one stable address in front of pods.

mod address;
mod balancer;

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::endpoints::check_ordinary_ip;
use super::pod_spec::check_port_number_or_name;
use crate::api::metadata::{check_label_key, check_labels};
use crate::api::{Edit, Field, IMMUTABLE, NameRule, Rules};
use crate::name;
use crate::object::Object;

const FIXED: &str = "may not change once set";
const DAY: i64 = 86_400;
/// Where each node agent listens.
const KUBELET_PORT: i64 = 10_250;
const AFFINITY_SECONDS: i64 = 3 * 60 * 60;
const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];

/// Rules of `v1` `Service`.
pub struct Service;

impl Rules for Service {
    fn name_rule(&self) -> NameRule {
        NameRule::Label
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn default(&self, object: &mut Object) {
        balancer::default(object.as_map_mut());
        let spec = object.as_map_mut().ensure("spec");
        default_affinity(spec);
        spec.fill("type", "ClusterIP");
        spec.objects("ports").for_each(default_port);
        if is_externally_accessible(spec) {
            spec.fill("externalTrafficPolicy", "Cluster");
        }
        if spec.text("type") != "ExternalName" {
            spec.fill("internalTrafficPolicy", "Cluster");
        }
        if spec.text("type") == "LoadBalancer" {
            spec.fill("allocateLoadBalancerNodePorts", true);
        }
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        check_topology(object);
        check_by_type(&spec);
        check_ports(&spec);
        check_labels(&spec.get("selector"));
        check_affinity(&spec);
        address::check(&spec);
        for address in spec.get("externalIPs").items() {
            check_ordinary_ip(&address);
        }
        spec.get("type").must_be_one_of(&TYPES);
        check_port_numbers(&spec);
        balancer::check(object, &spec);
        check_policies(&spec);
    }

    fn check_update(&self, new: &Field, old: &Field) {
        let (spec, old) = (new.get("spec"), old.get("spec"));
        let is_named = |spec: &Field| spec.get("type").str() == "ExternalName";
        // An address can be given up or taken only together with the type.
        if !is_named(&spec) && !is_named(&old) {
            address::check_update(&spec, &old);
        }
        let has_health = |spec: &Field| {
            let policy = spec.get("externalTrafficPolicy");
            spec.get("type").str() == "LoadBalancer" && policy.str() == "Local"
        };
        let (health, old_health) = (
            spec.get("healthCheckNodePort"),
            old.get("healthCheckNodePort"),
        );
        // One that isn't named is the one that was allocated.
        let is_other = health.int().unwrap_or(0) != 0 && !health.same_as(&old_health);
        if has_health(&spec) && has_health(&old) && is_other {
            health.forbidden(IMMUTABLE);
        }
        let is_balanced = |spec: &Field| spec.get("type").str() == "LoadBalancer";
        if is_balanced(&spec) && is_balanced(&old) {
            let (class, old_class) = (spec.get("loadBalancerClass"), old.get("loadBalancerClass"));
            if !class.same_as(&old_class) {
                class.invalid(FIXED);
            }
        }
    }

    fn check_status(&self, new: &Field, _old: &Field) {
        let (spec, status) = (new.get("spec"), new.get("status"));
        let balancer = status.get("loadBalancer");
        let points = balancer.get("ingress");
        if !points.is_empty() && spec.get("type").str() != "LoadBalancer" {
            return points.forbidden("may only be used when `spec.type` is 'LoadBalancer'");
        }
        points
            .items()
            .for_each(|point| balancer::check_entry_point(&point));
    }
}

fn default_affinity(spec: &mut Map<String, Value>) {
    spec.fill("sessionAffinity", "None");
    match spec.text("sessionAffinity") {
        "None" => {
            spec.remove("sessionAffinityConfig");
        }
        "ClientIP" => {
            let client_ip = spec.ensure("sessionAffinityConfig").ensure("clientIP");
            client_ip.fill("timeoutSeconds", AFFINITY_SECONDS);
        }
        _ => {}
    }
}

fn default_port(port: &mut Map<String, Value>) {
    port.fill("protocol", "TCP");
    let is_given = match port.get("targetPort") {
        Some(Value::String(name)) => !name.is_empty(),
        Some(Value::Number(number)) => number.as_i64() != Some(0),
        _ => false,
    };
    if !is_given && let Some(number) = port.get("port").cloned() {
        port.insert("targetPort".to_owned(), number);
    }
}

fn is_externally_accessible(spec: &Map<String, Value>) -> bool {
    let has_external_ips = spec.get("externalIPs").is_some_and(|ips| *ips != json!([]));
    match spec.text("type") {
        "LoadBalancer" | "NodePort" => true,
        "ClusterIP" => has_external_ips,
        _ => false,
    }
}

/// The annotation for traffic within a zone has an older name; both say the same.
fn check_topology(object: &Field) {
    const HINTS: &str = "service.kubernetes.io/topology-aware-hints";
    const MODE: &str = "service.kubernetes.io/topology-mode";
    let metadata = object.get("metadata");
    let annotations = metadata.get("annotations");
    let (hints, mode) = (annotations.key(HINTS), annotations.key(MODE));
    if hints.is_set() && mode.is_set() && hints.str() != mode.str() {
        mode.invalid(format!(
            "must match annotations[{HINTS}] when both are specified"
        ));
    }
}

fn is_headless(spec: &Field) -> bool {
    spec.get("clusterIP").str() == "None"
}

/// Checks what goes with the type and what doesn't.
fn check_by_type(spec: &Field) {
    let (ports, type_) = (spec.get("ports"), spec.get("type").str());
    if ports.is_empty() && !is_headless(spec) && type_ != "ExternalName" {
        ports.required("");
    }
    if type_ == "LoadBalancer" {
        for port in ports.items() {
            // Some balancers open more of a firewall than they should.
            if port.get("port").int() == Some(KUBELET_PORT) {
                port.invalid_value(
                    KUBELET_PORT,
                    "may not expose port 10250 externally since it is used by kubelet",
                );
            }
        }
    }
    if is_headless(spec) && matches!(type_, "LoadBalancer" | "NodePort") {
        address::refuse_headless(spec, type_);
    }
    if type_ == "ExternalName" {
        check_external_name(spec);
    }
}

fn check_external_name(spec: &Field) {
    for field in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        let field = spec.get(field);
        if !field.is_empty() {
            field.forbidden("may not be set for ExternalName services");
        }
    }
    let name = spec.get("externalName");
    let domain = name.str().strip_suffix('.').unwrap_or(name.str());
    if domain.is_empty() {
        return name.required("");
    }
    for message in name::dns1123_subdomain(domain) {
        name.invalid_value(domain, message);
    }
}

fn check_ports(spec: &Field) {
    let ports = spec.get("ports");
    let mut names = HashSet::new();
    for port in ports.items() {
        let name = port.get("name");
        if !name.is_empty() {
            name.invalid_for(name::dns1123_label(name.str()));
            if !names.insert(name.str()) {
                name.duplicate();
            }
        } else if ports.len() > 1 {
            name.required("");
        }
        port.get("port").must_be_port();
        port.get("protocol").must_be_one_of(&PROTOCOLS);
        check_port_number_or_name(&port.get("targetPort"));
        let app_protocol = port.get("appProtocol");
        if app_protocol.is_set() {
            check_label_key(&app_protocol, app_protocol.str());
        }
    }
}

/// Checks that no two ports are the same, on the cluster's addresses or on the nodes.
fn check_port_numbers(spec: &Field) {
    let ports = spec.get("ports");
    let node_port = |port: &Field| port.get("nodePort").int().filter(|number| *number != 0);
    if spec.get("type").str() == "ClusterIP" {
        for port in ports.items().filter(|port| node_port(port).is_some()) {
            let node_port = port.get("nodePort");
            node_port.forbidden("may not be used when `type` is 'ClusterIP'");
        }
    }
    let mut taken = HashSet::new();
    for port in ports.items() {
        let number = node_port(&port);
        if number.is_some() && !taken.insert((port.get("protocol").str(), number)) {
            port.get("nodePort").duplicate();
        }
    }
    let mut taken = HashSet::new();
    for port in ports.items() {
        let (protocol, number) = (port.get("protocol").str(), port.get("port").int());
        if !taken.insert((protocol, number)) {
            port.duplicate_value(json!({"port": number, "protocol": protocol}));
        }
    }
}

fn check_affinity(spec: &Field) {
    let (affinity, config) = (
        spec.get("sessionAffinity"),
        spec.get("sessionAffinityConfig"),
    );
    affinity.must_be_one_of(&["ClientIP", "None"]);
    match affinity.str() {
        "None" if config.is_set() => {
            config.forbidden("must not be set when session affinity is None");
        }
        "ClientIP" => {
            let client_ip = config.get("clientIP");
            let seconds = client_ip.get("timeoutSeconds");
            let absent = [&config, &client_ip, &seconds];
            if let Some(absent) = absent.into_iter().find(|field| !field.is_set()) {
                absent.required("when session affinity type is ClientIP");
            } else if !seconds.int().is_some_and(|s| 0 < s && s <= DAY) {
                seconds.invalid(format!("must be greater than 0 and less than {DAY}"));
            }
        }
        _ => {}
    }
}

fn check_policies(spec: &Field) {
    let external = spec.get("externalTrafficPolicy");
    let is_accessible = spec.map().is_some_and(is_externally_accessible);
    if is_accessible && external.is_empty() {
        external.required("");
    } else if is_accessible {
        external.may_be_one_of(&["Cluster", "Local"]);
    } else if !external.is_empty() {
        external.invalid("may only be set for externally-accessible services");
    }
    let internal = spec.get("internalTrafficPolicy");
    match spec.get("type").str() {
        "ExternalName" => internal.may_be_one_of(&["Cluster", "Local"]),
        _ => internal.must_be_one_of(&["Cluster", "Local"]),
    }
    let health = spec.get("healthCheckNodePort");
    let needs_health = spec.get("type").str() == "LoadBalancer" && external.str() == "Local";
    if health.int().unwrap_or(0) != 0 && !needs_health {
        health.invalid(
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
        );
    }
    spec.get("trafficDistribution").may_be_one_of(&[
        "PreferClose",
        "PreferSameNode",
        "PreferSameZone",
    ]);
}

#[cfg(test)]
mod tests;
