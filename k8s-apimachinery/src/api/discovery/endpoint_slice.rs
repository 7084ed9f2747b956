//! EndpointSlice: a part of the addresses behind a service.

use std::collections::HashSet;
use std::net::IpAddr;

use serde_json::{Map, Value};

use crate::api::core::endpoints::check_reachable_ip;
use crate::api::metadata::{check_label_key, check_labels};
use crate::api::{Edit, Field, NameRule, Rules};
use crate::name;
use crate::object::Object;

const MAX_ENDPOINTS: usize = 1000;
const MAX_ADDRESSES: usize = 100;
const MAX_PORTS: usize = 20_000;
const MAX_TOPOLOGY: usize = 16;
const MAX_HINTS: usize = 8;
const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

/// Rules of `discovery.k8s.io/v1` `EndpointSlice`.
pub struct EndpointSlice;

impl Rules for EndpointSlice {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn default(&self, object: &mut Object) {
        object.as_map_mut().objects("ports").for_each(default_port);
    }

    fn check(&self, object: &Field) {
        let address_type = object.get("addressType");
        address_type.must_be_one_of(&["FQDN", "IPv4", "IPv6"]);
        let endpoints = object.get("endpoints");
        if endpoints.len() > MAX_ENDPOINTS {
            endpoints.too_many(MAX_ENDPOINTS);
        }
        for endpoint in endpoints.items() {
            check_endpoint(&endpoint, address_type.str());
        }
        check_ports(&object.get("ports"));
    }

    fn check_update(&self, new: &Field, old: &Field) {
        new.get("addressType")
            .must_not_change(&old.get("addressType"));
    }
}

fn default_port(port: &mut Map<String, Value>) {
    if !port.contains_key("name") {
        port.insert("name".to_owned(), "".into());
    }
    port.fill("protocol", "TCP");
}

fn check_endpoint(endpoint: &Field, address_type: &str) {
    let addresses = endpoint.get("addresses");
    if addresses.is_empty() {
        addresses.required("must contain at least 1 address");
    } else if addresses.len() > MAX_ADDRESSES {
        addresses.too_many(MAX_ADDRESSES);
    }
    for address in addresses.items() {
        check_address(&address, address_type);
    }
    let node_name = endpoint.get("nodeName");
    if node_name.is_set() {
        node_name.invalid_for(name::dns1123_subdomain(node_name.str()));
    }
    let hostname = endpoint.get("hostname");
    if hostname.is_set() {
        hostname.invalid_for(name::dns1123_label(hostname.str()));
    }
    let topology = endpoint.get("deprecatedTopology");
    if topology.len() > MAX_TOPOLOGY {
        topology.too_many(MAX_TOPOLOGY);
    }
    check_labels(&topology);
    let hints = endpoint.get("hints");
    check_hints(&hints.get("forZones"), name::label_value);
    check_hints(&hints.get("forNodes"), name::dns1123_subdomain);
}

fn check_address(address: &Field, address_type: &str) {
    let ip = address.str().parse::<IpAddr>();
    match address_type {
        "IPv4" if !matches!(ip, Ok(IpAddr::V4(_))) => {
            address.invalid("must be a valid IPv4 address");
        }
        "IPv6" if !matches!(ip, Ok(IpAddr::V6(_))) => {
            address.invalid("must be a valid IPv6 address");
        }
        "IPv4" | "IPv6" => check_reachable_ip(address),
        "FQDN" => {
            let domain = address.str().strip_suffix('.').unwrap_or(address.str());
            let faults = name::dns1123_subdomain(domain);
            if !faults.is_empty() {
                return address.invalid_value(domain, faults.join(","));
            }
            if !domain.contains('.') {
                address.invalid_value(
                    domain,
                    "should be a domain with at least two segments separated by dots",
                );
            }
        }
        _ => {}
    }
}

/// Checks for whom an endpoint is meant: a few, each once.
fn check_hints(hints: &Field, faults: fn(&str) -> Vec<String>) {
    if hints.len() > MAX_HINTS {
        return hints.too_many(MAX_HINTS);
    }
    for hint in hints.items() {
        let name = hint.get("name");
        if name.must_be_set() {
            name.invalid_for(faults(name.str()));
        }
    }
    let mut seen = HashSet::new();
    for hint in hints.items() {
        let name = hint.get("name").str();
        if !seen.insert(name) {
            hint.duplicate_value(name);
        }
    }
}

fn check_ports(ports: &Field) {
    if ports.len() > MAX_PORTS {
        ports.too_many(MAX_PORTS);
    }
    let mut names = HashSet::new();
    for port in ports.items() {
        let name = port.get("name");
        if !name.is_empty() {
            name.invalid_for(name::dns1123_label(name.str()));
        }
        if !names.insert(name.str()) {
            name.duplicate();
        }
        port.get("protocol").must_be_one_of(&PROTOCOLS);
        let number = port.get("port");
        if number.is_set() {
            number.must_be_port();
        }
        let app_protocol = port.get("appProtocol");
        if app_protocol.is_set() {
            check_label_key(&app_protocol, app_protocol.str());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_update, named};
    use serde_json::json;

    fn slice(address_type: &str, address: &str) -> Object {
        named(json!({
            "addressType": address_type,
            "endpoints": [{"addresses": [address]}],
            "ports": [{"port": 80}],
        }))
    }

    #[test]
    fn addresses_are_of_the_slices_type() {
        check_create(&EndpointSlice, slice("IPv4", "10.0.0.1"), &[]);
        check_create(&EndpointSlice, slice("FQDN", "a.example.com"), &[]);
        check_create(
            &EndpointSlice,
            slice("IPv4", "::1"),
            &[r#"endpoints[0].addresses[0]: Invalid value: "::1": must be a valid IPv4 address"#],
        );
        check_create(
            &EndpointSlice,
            slice("X", "a"),
            &[r#"addressType: Unsupported value: "X": supported values: "FQDN", "IPv4", "IPv6""#],
        );
    }

    #[test]
    fn names_have_two_parts_and_addresses_lead_somewhere() {
        let at = "endpoints[0].addresses[0]: Invalid value";
        check_create(
            &EndpointSlice,
            slice("FQDN", "a"),
            &[&format!(
                r#"{at}: "a": should be a domain with at least two segments separated by dots"#
            )],
        );
        check_create(
            &EndpointSlice,
            slice("IPv4", "169.254.1.1"),
            &[&format!(
                r#"{at}: "169.254.1.1": may not be in the link-local range (169.254.0.0/16, fe80::/10)"#
            )],
        );
    }

    #[test]
    fn hints_are_few_and_differ() {
        let hinted = |zones: Vec<String>| {
            let zones: Vec<_> = zones.iter().map(|zone| json!({"name": zone})).collect();
            let endpoint = json!({"addresses": ["10.0.0.1"], "hints": {"forZones": zones}});
            named(json!({"addressType": "IPv4", "endpoints": [endpoint], "ports": []}))
        };
        check_create(
            &EndpointSlice,
            hinted(vec!["a".to_owned(), "a".to_owned()]),
            &[r#"endpoints[0].hints.forZones[1]: Duplicate value: "a""#],
        );
        check_create(
            &EndpointSlice,
            hinted((0..9).map(|n| format!("z{n}")).collect()),
            &["endpoints[0].hints.forZones: Too many: 9: must have at most 8 items"],
        );
    }

    #[test]
    fn the_address_type_never_changes() {
        check_update(
            &EndpointSlice,
            slice("IPv4", "10.0.0.1"),
            slice("IPv6", "::1"),
            &[r#"addressType: Invalid value: "IPv6": field is immutable"#],
        );
    }

    #[test]
    fn unnamed_ports_have_the_empty_name() {
        let mut object = slice("IPv4", "10.0.0.1");
        EndpointSlice.default(&mut object);
        assert_eq!(
            object.get(&["ports"]),
            Some(&json!([{"name": "", "port": 80, "protocol": "TCP"}]))
        );
    }
}
