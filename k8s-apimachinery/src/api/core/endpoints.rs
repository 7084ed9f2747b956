//! Endpoints: the addresses behind a service, all in one object.

use serde_json::{Map, Value};

use super::pod_spec::check_ip;
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
                check_ip(&address.get("ip"));
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
}
