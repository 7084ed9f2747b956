//! Node.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of, list_or_none},
};

use crate::registry::{KindRow, Strategy, SubresourceRow, WriteContext, cell};

const ROLE_PREFIX: &str = "node-role.kubernetes.io/";
const ROLE_LABEL: &str = "kubernetes.io/role";

/// Strategy of `v1` `Node`.
pub(crate) struct Node;

static COLUMNS: [ColumnDefinition; 10] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text(
        "Status",
        "Whether the node is ready, and whether it takes pods.",
    ),
    ColumnDefinition::text("Roles", "Roles from the node's labels."),
    ColumnDefinition::AGE,
    ColumnDefinition::text("Version", "Version of the node's agent."),
    ColumnDefinition::text("Internal-IP", "Address inside the cluster.").wide(),
    ColumnDefinition::text("External-IP", "Address outside the cluster.").wide(),
    ColumnDefinition::text("OS-Image", "Operating system, as it calls itself.").wide(),
    ColumnDefinition::text("Kernel-Version", "Version of the kernel.").wide(),
    ColumnDefinition::text("Container-Runtime", "Runtime and its version.").wide(),
];

impl Strategy for Node {
    fn kind(&self) -> KindRow {
        KindRow::new("", "v1", "Node", "nodes")
            .cluster_scoped()
            .short_names(&["no"])
            .storage_prefix("minions")
            .subresource(SubresourceRow::connect(
                "proxy",
                &["create", "delete", "get", "patch", "update"],
            ))
            .subresource(SubresourceRow::status())
    }

    /// A node agent registers its node complete with status.
    fn prepare_create(&self, _object: &mut Object, _ctx: &WriteContext<'_>) {}

    fn selectable(&self) -> &'static [&'static str] {
        &["spec.unschedulable"]
    }

    fn fields(&self, object: &Object) -> Vec<(&'static str, String)> {
        let is_cordoned = is_unschedulable(object);
        vec![("spec.unschedulable", is_cordoned.to_string())]
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let info = |field| cell::text_or_else(object, &["status", "nodeInfo", field], "<unknown>");
        vec![
            object.name().into(),
            status(object).into(),
            roles(object).into(),
            age_of(object, now).into(),
            cell::text(object, &["status", "nodeInfo", "kubeletVersion"]),
            address(object, "InternalIP").into(),
            address(object, "ExternalIP").into(),
            info("osImage"),
            info("kernelVersion"),
            info("containerRuntimeVersion"),
        ]
    }
}

fn is_unschedulable(node: &Object) -> bool {
    node.get(&["spec", "unschedulable"]) == Some(&Value::Bool(true))
}

fn status(node: &Object) -> String {
    let conditions = cell::items(node, &["status", "conditions"]);
    let ready = conditions
        .iter()
        .find(|condition| condition["type"] == "Ready");
    let mut status = match ready.map(|condition| condition["status"] == "True") {
        Some(true) => "Ready",
        Some(false) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if is_unschedulable(node) {
        status.push_str(",SchedulingDisabled");
    }
    status
}

fn roles(node: &Object) -> String {
    let role = |(key, value): (&'_ str, &'_ str)| match key.strip_prefix(ROLE_PREFIX) {
        Some(role) => role.to_owned(),
        None if key == ROLE_LABEL => value.to_owned(),
        None => String::new(),
    };
    let roles: BTreeSet<_> = node
        .labels()
        .map(role)
        .filter(|role| !role.is_empty())
        .collect();
    list_or_none(roles)
}

fn address<'a>(node: &'a Object, type_: &str) -> &'a str {
    let addresses = cell::items(node, &["status", "addresses"]);
    let address = addresses.iter().find(|address| address["type"] == type_);
    address
        .and_then(|address| address["address"].as_str())
        .unwrap_or("<none>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cordoned_node_prints_its_roles_and_addresses() {
        let node = Object::from_value(json!({
            "metadata": {"name": "n1", "labels": {"node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "a"}},
            "spec": {"unschedulable": true},
            "status": {
                "conditions": [{"type": "Ready", "status": "True"}],
                "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
                "nodeInfo": {"kubeletVersion": "v1.37.0", "osImage": "Debian"},
            },
        }))
        .expect("an object");
        let want = json!([
            "n1",
            "Ready,SchedulingDisabled",
            "a,control-plane",
            "<unknown>",
            "v1.37.0",
            "10.0.0.1",
            "<none>",
            "Debian",
            "<unknown>",
            "<unknown>",
        ]);
        assert_eq!(Value::from(Node.row(&node, Timestamp::UNIX_EPOCH)), want);
        assert_eq!(
            Node.fields(&node),
            [("spec.unschedulable", "true".to_owned())]
        );
    }
}
