//! Endpoints: the addresses behind a service, all in one object.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::pod_spec::check_ip;
use crate::api::metadata::check_label_key;
use crate::api::{Edit, Field, NameRule, Rules};
use crate::name;
use crate::object::Object;

/// Rules of `v1` `Endpoints`.
pub struct Endpoints;

impl Rules for Endpoints {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn default(&self, object: &mut Object) {
        let default_port = |port: &mut Map<String, Value>| port.fill("protocol", "TCP");
        for subset in object.as_map_mut().objects("subsets") {
            subset.objects("ports").for_each(default_port);
        }
    }

    fn check(&self, object: &Field) {
        for subset in object.get("subsets").items() {
            let (ready, unready) = (subset.get("addresses"), subset.get("notReadyAddresses"));
            if ready.is_empty() && unready.is_empty() {
                subset.required("must specify `addresses` or `notReadyAddresses`");
            }
            for address in ready.items().chain(unready.items()) {
                check_reachable_ip(&address.get("ip"));
                let node = address.get("nodeName");
                if node.is_set() {
                    node.invalid_for(name::dns1123_subdomain(node.str()));
                }
                let hostname = address.get("hostname");
                if !hostname.is_empty() {
                    hostname.invalid_for(name::dns1123_label(hostname.str()));
                }
            }
            let ports = subset.get("ports");
            for port in ports.items() {
                check_port(&port, ports.len() > 1);
            }
        }
    }
}

fn check_port(port: &Field, needs_name: bool) {
    let name = port.get("name");
    if !name.is_empty() {
        name.invalid_for(name::dns1123_label(name.str()));
    } else if needs_name {
        name.required("");
    }
    port.get("port").must_be_port();
    port.get("protocol").must_be_one_of(&["SCTP", "TCP", "UDP"]);
    let app_protocol = port.get("appProtocol");
    if app_protocol.is_set() {
        check_label_key(&app_protocol, app_protocol.str());
    }
}

/// Checks an address that others are to reach.
pub(super) fn check_ordinary_ip(address: &Field) {
    let ip = address.str().parse::<IpAddr>();
    if ip.is_ok_and(|ip| ip.is_loopback()) {
        return address.invalid("may not be in the loopback range (127.0.0.0/8, ::1/128)");
    }
    check_reachable_ip(address);
}

/// The same for endpoints, which may be on the loopback: where all of a cluster is one process, its server is there.
pub(in crate::api) fn check_reachable_ip(address: &Field) {
    let Ok(ip) = address.str().parse::<IpAddr>() else {
        return check_ip(address);
    };
    let (is_link_local, is_link_multicast) = match ip {
        IpAddr::V4(ip) => (ip.is_link_local(), ip.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(ip) => {
            let head = ip.segments()[0];
            (head & 0xffc0 == 0xfe80, head & 0xff0f == 0xff02)
        }
    };
    if ip.is_unspecified() {
        address.invalid(format!("may not be unspecified ({ip})"));
    }
    if is_link_local {
        address.invalid("may not be in the link-local range (169.254.0.0/16, fe80::/10)");
    }
    if is_link_multicast {
        address.invalid("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, named};
    use serde_json::json;

    #[test]
    fn subsets_need_addresses_that_are_addresses() {
        let endpoints = |subset: Value| named(json!({"subsets": [subset]}));
        let fine = json!({"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]});
        check_create(&Endpoints, endpoints(fine), &[]);
        check_create(
            &Endpoints,
            endpoints(json!({"ports": [{"port": 80}]})),
            &["subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"],
        );
        check_create(
            &Endpoints,
            endpoints(json!({"addresses": [{"ip": "here"}]})),
            &[
                r#"subsets[0].addresses[0].ip: Invalid value: "here": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"#,
            ],
        );
    }

    #[test]
    fn some_addresses_lead_nowhere() {
        let endpoints = |ip: &str| named(json!({"subsets": [{"addresses": [{"ip": ip}]}]}));
        let check = |ip: &str, why: &str| {
            let want = format!("subsets[0].addresses[0].ip: Invalid value: {ip:?}: {why}");
            check_create(&Endpoints, endpoints(ip), &[&want]);
        };
        check("0.0.0.0", "may not be unspecified (0.0.0.0)");
        check(
            "fe80::1",
            "may not be in the link-local range (169.254.0.0/16, fe80::/10)",
        );
        check(
            "224.0.0.5",
            "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
        );
        check_create(&Endpoints, endpoints("127.0.0.1"), &[]);
    }
}
