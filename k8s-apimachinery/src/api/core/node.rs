//! Node: a machine that runs pods.

use std::collections::HashSet;

use serde_json::Value;

use super::{config_map, pod_spec::resources};
use crate::api::metadata::check_label_key;
use crate::api::{Edit, Field, NameRule, Rules};
use crate::ip::Network;
use crate::name;
use crate::object::Object;

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// Rules of `v1` `Node`.
pub struct Node;

impl Rules for Node {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn default(&self, object: &mut Object) {
        let node = object.as_map_mut();
        if let Some(spec) = node.object("spec") {
            match (
                spec.text("podCIDR"),
                spec.get("podCIDRs").and_then(|list| list.get(0)),
            ) {
                ("", Some(first)) => {
                    let first = first.clone();
                    spec.insert("podCIDR".to_owned(), first);
                }
                ("", None) => {}
                (single, None) => {
                    let list = Value::Array(vec![single.into()]);
                    spec.insert("podCIDRs".to_owned(), list);
                }
                _ => {}
            }
        }
        if let Some(status) = node.object("status")
            && !status.contains_key("allocatable")
            && let Some(capacity) = status.get("capacity").cloned()
        {
            status.insert("allocatable".to_owned(), capacity);
        }
    }

    fn check(&self, object: &Field) {
        // Kubernetes reports these as if they stood in the metadata.
        let (metadata, spec) = (object.get("metadata"), object.get("spec"));
        check_taints(&metadata.get("taints").holding(&spec.get("taints")));
        let status = object.get("status");
        for list in ["capacity", "allocatable"] {
            let list = status.get(list);
            for (name, _) in list.entries() {
                resources::check_amount(&list.get(name), name);
            }
        }
    }

    fn check_create(&self, object: &Field) {
        let spec = object.get("spec");
        check_pod_cidrs(&spec.get("podCIDRs"));
    }

    fn check_update(&self, new: &Field, old: &Field) {
        let (spec, status, old) = (new.get("spec"), new.get("status"), old.get("spec"));
        check_addresses(&status.get("addresses"));
        check_kept(&spec, &old);
        let source = spec.get("configSource");
        if source.is_set() {
            check_config_source(&source, false);
        }
        let config = status.get("config");
        for source in ["assigned", "active", "lastKnownGood"] {
            let source = config.get(source);
            if source.is_set() {
                check_config_source(&source, true);
            }
        }
        if !spec.get("externalID").same_as(&old.get("externalID")) {
            spec.get("externalID").forbidden("may not be updated");
        }
    }

    /// Either part of a node is checked with the whole of it.
    fn check_status(&self, new: &Field, old: &Field) {
        self.check(new);
        self.check_update(new, old);
    }
}

fn check_addresses(addresses: &Field) {
    let mut seen = HashSet::new();
    for address in addresses.items() {
        if !seen.insert((address.get("type").str(), address.get("address").str())) {
            address.duplicate();
        }
    }
}

/// What a node was given once stays.
fn check_kept(spec: &Field, old: &Field) {
    const CIDR: &str = "node updates may not change podCIDR except from \"\" to valid";
    const PROVIDER: &str = "node updates may not change providerID except from \"\" to valid";
    for (field, why) in [("podCIDRs", CIDR), ("providerID", PROVIDER)] {
        let (field, old) = (spec.get(field), old.get(field));
        if !old.is_empty() && !field.same_as(&old) {
            field.forbidden(why);
        }
    }
}

/// Checks where a node agent's settings came from, while that was still possible (KEP-281): a ConfigMap, in the status
/// a certain version of it.
fn check_config_source(source: &Field, is_status: bool) {
    let map = source.get("configMap");
    if !map.is_set() {
        return source.invalid("exactly one reference subfield must be non-nil");
    }
    for name in ["uid", "resourceVersion"] {
        let field = map.get(name);
        match (is_status, field.is_empty()) {
            (true, true) => field.required(format!("{name} must be set in status")),
            (false, false) => field.forbidden(format!("{name} must not be set in spec")),
            _ => {}
        }
    }
    let check = |name: &str, faults: fn(&str) -> Vec<String>| {
        let field = map.get(name);
        match field.is_empty() {
            true => field.required(format!("{name} must be set")),
            false => field.invalid_for(faults(field.str())),
        }
    };
    check("namespace", name::dns1123_label);
    check("name", name::dns1123_subdomain);
    check("kubeletConfigKey", config_map::key_faults);
}

fn check_taints(taints: &Field) {
    let mut seen = HashSet::new();
    for taint in taints.items() {
        let [key, value, effect] = ["key", "value", "effect"].map(|field| taint.get(field));
        check_label_key(&key, key.str());
        let faults = name::label_value(value.str());
        if !faults.is_empty() {
            value.invalid(faults.join(";"));
        }
        effect.must_be_one_of(&EFFECTS);
        if !seen.insert((key.str(), effect.str())) {
            taint.duplicate_because("taints must be unique by key and effect pair");
        }
    }
}

/// A node has one network of each family at most.
fn check_pod_cidrs(cidrs: &Field) {
    let mut families = HashSet::new();
    for cidr in cidrs.items() {
        match cidr.str().parse::<Network>() {
            Err(fault) => cidr.invalid(fault.to_string()),
            Ok(network) => {
                families.insert(network.address.is_ipv4());
            }
        }
    }
    if cidrs.len() > 2 || cidrs.len() == 2 && families.len() == 1 {
        cidrs.invalid("may specify no more than one CIDR for each IP family");
    }
    let mut seen = HashSet::new();
    for cidr in cidrs.items() {
        if !seen.insert(cidr.str()) {
            cidr.duplicate();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_status, check_update, cluster_wide};
    use serde_json::json;

    #[test]
    fn allocatable_starts_as_capacity() {
        let mut node = cluster_wide(
            json!({"status": {"capacity": {"cpu": "2"}}, "spec": {"podCIDR": "10.244.0.0/24"}}),
        );
        Node.default(&mut node);
        assert_eq!(node.str(&["status", "allocatable", "cpu"]), Some("2"));
        assert_eq!(
            node.get(&["spec", "podCIDRs"]),
            Some(&json!(["10.244.0.0/24"]))
        );
    }

    #[test]
    fn taints_are_unique_by_key_and_effect() {
        let taint = |effect: &str| json!({"key": "a", "effect": effect});
        let node = |taints: Value| cluster_wide(json!({"spec": {"taints": taints}}));
        check_create(
            &Node,
            node(json!([taint("NoSchedule"), taint("NoExecute")])),
            &[],
        );
        check_create(
            &Node,
            node(json!([taint("NoSchedule"), taint("NoSchedule")])),
            &[
                r#"metadata.taints[1]: Duplicate value: {"effect":"NoSchedule","key":"a"}: taints must be unique by key and effect pair"#,
            ],
        );
        check_create(
            &Node,
            node(json!([taint("Never")])),
            &[
                r#"metadata.taints[0].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute""#,
            ],
        );
    }

    #[test]
    fn the_pod_cidr_stays_once_given() {
        let node = |cidr: &str| cluster_wide(json!({"spec": {"podCIDR": cidr}}));
        check_update(&Node, cluster_wide(json!({})), node("10.0.0.0/24"), &[]);
        check_update(
            &Node,
            node("10.0.0.0/24"),
            node("10.0.1.0/24"),
            &[
                "spec.podCIDRs: Forbidden: node updates may not change podCIDR except from \"\" to valid",
            ],
        );
    }

    #[test]
    fn a_node_has_one_network_of_each_family() {
        let node = |cidrs: Value| cluster_wide(json!({"spec": {"podCIDRs": cidrs}}));
        check_create(&Node, node(json!(["10.0.0.0/24", "2001:db8::/64"])), &[]);
        check_create(
            &Node,
            node(json!(["10.0.0.0/24", "10.0.1.0/24"])),
            &[
                r#"spec.podCIDRs: Invalid value: ["10.0.0.0/24","10.0.1.0/24"]: may specify no more than one CIDR for each IP family"#,
            ],
        );
    }

    #[test]
    fn names_from_outside_stay() {
        let node = |id: &str, provider: &str| {
            cluster_wide(json!({"spec": {"externalID": id, "providerID": provider}}))
        };
        check_update(&Node, node("a", ""), node("a", "p"), &[]);
        check_update(
            &Node,
            node("a", "p"),
            node("b", "q"),
            &[
                "spec.providerID: Forbidden: node updates may not change providerID except from \"\" to valid",
                "spec.externalID: Forbidden: may not be updated",
            ],
        );
    }

    #[test]
    fn the_status_is_checked_with_the_node() {
        let status = |status: Value| cluster_wide(json!({"status": status}));
        let address = json!({"type": "Hostname", "address": "n"});
        check_status(&Node, status(json!({"addresses": [address]})), &[]);
        check_status(
            &Node,
            status(json!({
                "capacity": {"cpu": "-1", "example.com/gpu": "500m"},
                "addresses": [address, address],
            })),
            &[
                r#"status.capacity.cpu: Invalid value: "-1": must be greater than or equal to 0"#,
                r#"status.capacity.example.com/gpu: Invalid value: "500m": must be an integer"#,
                r#"status.addresses[1]: Duplicate value: {"address":"n","type":"Hostname"}"#,
            ],
        );
    }

    #[test]
    fn settings_come_from_a_config_map() {
        let node = |source: Value| cluster_wide(json!({"spec": {"configSource": source}}));
        let map = json!({"namespace": "a", "name": "b", "kubeletConfigKey": "c"});
        check_update(
            &Node,
            node(json!(null)),
            node(json!({"configMap": map})),
            &[],
        );
        check_update(
            &Node,
            node(json!(null)),
            node(json!({"configMap": {"uid": "u", "namespace": "a", "name": "b"}})),
            &[
                "spec.configSource.configMap.uid: Forbidden: uid must not be set in spec",
                "spec.configSource.configMap.kubeletConfigKey: Required value: kubeletConfigKey must be set",
            ],
        );
    }
}
