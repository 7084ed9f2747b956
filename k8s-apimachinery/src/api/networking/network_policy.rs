//! NetworkPolicy: which pods may talk to which.

use serde_json::{Value, json};

use crate::api::core::port_name_faults;
use crate::api::selector::check_label_selector;
use crate::api::{Edit, Field, NameRule, Rules};
use crate::ip::Network;
use crate::object::Object;

const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];
const TYPES: [&str; 2] = ["Ingress", "Egress"];

/// Rules of `networking.k8s.io/v1` `NetworkPolicy`.
pub struct NetworkPolicy;

impl Rules for NetworkPolicy {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn default(&self, object: &mut Object) {
        let spec = object.as_map_mut().ensure("spec");
        for rules in ["ingress", "egress"] {
            for rule in spec.objects(rules) {
                rule.objects("ports")
                    .for_each(|port| port.fill("protocol", "TCP"));
            }
        }
        let is_empty = |list: Option<&Value>| list.is_none_or(|list| *list == json!([]));
        if is_empty(spec.get("policyTypes")) {
            let types = match is_empty(spec.get("egress")) {
                true => json!(["Ingress"]),
                false => json!(["Ingress", "Egress"]),
            };
            spec.insert("policyTypes".to_owned(), types);
        }
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        check_label_selector(&spec.get("podSelector"));
        for (rules, peers) in [("ingress", "from"), ("egress", "to")] {
            for rule in spec.get(rules).items() {
                rule.get("ports").items().for_each(|port| check_port(&port));
                rule.get(peers).items().for_each(|peer| check_peer(&peer));
            }
        }
        let types = spec.get("policyTypes");
        if types.len() > TYPES.len() {
            return types.invalid("may not specify more than two policyTypes");
        }
        for type_ in types.items() {
            if !TYPES.contains(&type_.str()) {
                type_.unsupported(&TYPES);
            }
        }
    }
}

fn check_port(port: &Field) {
    let (number, end) = (port.get("port"), port.get("endPort"));
    port.get("protocol").may_be_one_of(&PROTOCOLS);
    match number.value() {
        None if end.is_set() => {
            end.invalid("may not be specified when `port` is not specified");
        }
        None => {}
        Some(Value::String(name)) => {
            if end.is_set() {
                end.invalid("may not be specified when `port` is non-numeric");
            }
            number.invalid_for(port_name_faults(name));
        }
        Some(_) => {
            number.must_be_port();
            if end.is_set() && end.int() < number.int() {
                // Kubernetes shows the port here.
                end.holding(&number)
                    .invalid("must be greater than or equal to `port`");
            }
            if end.is_set() {
                end.must_be_port();
            }
        }
    }
}

fn check_peer(peer: &Field) {
    let selectors = ["podSelector", "namespaceSelector"].map(|field| peer.get(field));
    for selector in &selectors {
        check_label_selector(selector);
    }
    let block = peer.get("ipBlock");
    if block.is_set() {
        check_block(&block);
    }
    let has_selector = selectors.iter().any(Field::is_set);
    match (has_selector, block.is_set()) {
        (false, false) => peer.required("must specify a peer"),
        (true, true) => peer.forbidden("may not specify both ipBlock and another peer"),
        _ => {}
    }
}

fn check_block(block: &Field) {
    const MALFORMED: &str = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
    let cidr = block.get("cidr");
    if !cidr.must_be_set() {
        return;
    }
    let Ok(outer) = cidr.str().parse::<Network>() else {
        return cidr.invalid(MALFORMED);
    };
    for except in block.get("except").items() {
        match except.str().parse::<Network>() {
            Err(_) => except.invalid(MALFORMED),
            Ok(inner) if outer.contains(inner.address) && outer.prefix < inner.prefix => {}
            Ok(_) => except.invalid("must be a strict subset of `cidr`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, named};

    fn ingress(rule: Value) -> Object {
        named(json!({"spec": {"podSelector": {}, "ingress": [rule]}}))
    }

    #[test]
    fn types_follow_from_the_rules() {
        let types = |spec: Value| {
            let mut object = named(json!({"spec": spec}));
            NetworkPolicy.default(&mut object);
            object.get(&["spec", "policyTypes"]).cloned()
        };
        assert_eq!(types(json!({})), Some(json!(["Ingress"])));
        assert_eq!(
            types(json!({"egress": [{}]})),
            Some(json!(["Ingress", "Egress"]))
        );
        assert_eq!(
            types(json!({"egress": [{}], "policyTypes": ["Egress"]})),
            Some(json!(["Egress"]))
        );
    }

    #[test]
    fn a_peer_is_a_network_or_selected() {
        let from = |peer: Value| ingress(json!({"from": [peer]}));
        let at = "spec.ingress[0].from[0]";
        check_create(&NetworkPolicy, from(json!({"podSelector": {}})), &[]);
        check_create(
            &NetworkPolicy,
            from(json!({})),
            &[&format!("{at}: Required value: must specify a peer")],
        );
        check_create(
            &NetworkPolicy,
            from(json!({"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}})),
            &[&format!(
                "{at}: Forbidden: may not specify both ipBlock and another peer"
            )],
        );
        check_create(
            &NetworkPolicy,
            from(
                json!({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/8", "10.1.0.0/16"]}}),
            ),
            &[&format!(
                r#"{at}.ipBlock.except[0]: Invalid value: "10.0.0.0/8": must be a strict subset of `cidr`"#
            )],
        );
    }

    #[test]
    fn ranges_of_ports_start_with_a_number() {
        let port = |port: Value| ingress(json!({"ports": [port]}));
        let at = "spec.ingress[0].ports[0]";
        check_create(
            &NetworkPolicy,
            port(json!({"port": 80, "endPort": 90})),
            &[],
        );
        check_create(
            &NetworkPolicy,
            port(json!({"port": "web", "endPort": 90})),
            &[&format!(
                "{at}.endPort: Invalid value: 90: may not be specified when `port` is non-numeric"
            )],
        );
        check_create(
            &NetworkPolicy,
            port(json!({"port": 80, "endPort": 79, "protocol": "ICMP"})),
            &[
                &format!(
                    r#"{at}.protocol: Unsupported value: "ICMP": supported values: "TCP", "UDP", "SCTP""#
                ),
                &format!(
                    "{at}.endPort: Invalid value: 80: must be greater than or equal to `port`"
                ),
            ],
        );
    }
}
