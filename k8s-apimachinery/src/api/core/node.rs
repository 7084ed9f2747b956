//! Node: a machine that runs pods.

use std::collections::HashSet;

use serde_json::Value;

use super::pod_spec::resources;
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
        let (spec, status) = (object.get("spec"), object.get("status"));
        check_taints(&spec.get("taints"));
        resources::check_list(&status.get("capacity"));
        resources::check_list(&status.get("allocatable"));
        check_pod_cidrs(&spec.get("podCIDRs"));
        let addresses = status.get("addresses");
        let mut seen = HashSet::new();
        for address in addresses.items() {
            if !seen.insert((address.get("type").str(), address.get("address").str())) {
                address.duplicate();
            }
        }
    }

    fn check_update(&self, new: &Field, old: &Field) {
        let (spec, old) = (new.get("spec"), old.get("spec"));
        let (cidrs, old_cidrs) = (spec.get("podCIDRs"), old.get("podCIDRs"));
        if !old_cidrs.is_empty() && !cidrs.same_as(&old_cidrs) {
            cidrs.forbidden("node updates may not change podCIDR except from \"\" to valid");
        }
        let (provider, old_provider) = (spec.get("providerID"), old.get("providerID"));
        if !old_provider.is_empty() && !provider.same_as(&old_provider) {
            provider.forbidden("node updates may not change providerID except from \"\" to valid");
        }
        let is_kept = |field| spec.get(field).same_as(&old.get(field));
        if !["externalID", "configSource"].into_iter().all(is_kept) {
            new.forbidden("node updates may only change labels, taints, or capacity");
        }
    }

    fn check_status(&self, new: &Field, _old: &Field) {
        let status = new.get("status");
        resources::check_list(&status.get("capacity"));
        resources::check_list(&status.get("allocatable"));
    }
}

fn check_taints(taints: &Field) {
    let mut seen = HashSet::new();
    for taint in taints.items() {
        let [key, value, effect] = ["key", "value", "effect"].map(|field| taint.get(field));
        check_label_key(&key, key.str());
        for message in name::label_value(value.str()) {
            value.invalid(message);
        }
        effect.must_be_one_of(&EFFECTS);
        if !seen.insert((key.str(), effect.str())) {
            taint.duplicate();
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_update, cluster_wide};
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
            &[r#"spec.taints[1]: Duplicate value: {"effect":"NoSchedule","key":"a"}"#],
        );
        check_create(
            &Node,
            node(json!([taint("Never")])),
            &[
                r#"spec.taints[0].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute""#,
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
    fn updates_change_little() {
        let node = |id: &str| cluster_wide(json!({"spec": {"externalID": id}}));
        check_update(
            &Node,
            node("a"),
            node("b"),
            &[": Forbidden: node updates may only change labels, taints, or capacity"],
        );
    }
}
