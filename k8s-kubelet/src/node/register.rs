//! Making the node's object, or adopting the one that exists.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, NodeSpec, NodeStatus};
use kube::{
    Api,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};

use super::{
    allocatable::allocatable,
    machine::{Machine, architecture},
    status::capacity,
};
use crate::config::NodeConfig;

/// The node's object as the API has it, with our labels on it.
pub(super) async fn register(
    api: &Api<Node>,
    config: &NodeConfig,
    status: NodeStatus,
) -> Result<Node, kube::Error> {
    let node = object(config, status);
    match api.create(&PostParams::default(), &node).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => adopt(api, config).await,
        created => created,
    }
}

/// The node before the API knows it: what pods are weighed against until then.
pub(crate) fn initial(config: &NodeConfig, machine: &Machine) -> Node {
    let allocatable = allocatable(config, &capacity(config, machine));
    let status = NodeStatus {
        allocatable: Some(allocatable),
        ..NodeStatus::default()
    };
    object(config, status)
}

fn object(config: &NodeConfig, status: NodeStatus) -> Node {
    Node {
        metadata: ObjectMeta {
            name: Some(config.name.clone()),
            labels: Some(labels(config)),
            annotations: Some(BTreeMap::from([(
                "volumes.kubernetes.io/controller-managed-attach-detach".into(),
                "true".into(),
            )])),
            ..ObjectMeta::default()
        },
        spec: Some(NodeSpec {
            pod_cidr: config.pod_cidr.clone(),
            pod_cidrs: config.pod_cidr.clone().map(|cidr| vec![cidr]),
            taints: Some(config.taints.clone()).filter(|taints| !taints.is_empty()),
            ..NodeSpec::default()
        }),
        status: Some(status),
    }
}

async fn adopt(api: &Api<Node>, config: &NodeConfig) -> Result<Node, kube::Error> {
    let node = api.get(&config.name).await?;
    let known = node.metadata.labels.clone().unwrap_or_default();
    let wanted = labels(config);
    if wanted
        .iter()
        .all(|(key, value)| known.get(key) == Some(value))
    {
        return Ok(node);
    }
    let change = serde_json::json!({"metadata": {"labels": wanted}});
    api.patch(&config.name, &PatchParams::default(), &Patch::Merge(change))
        .await
}

fn labels(config: &NodeConfig) -> BTreeMap<String, String> {
    let usual = [
        ("kubernetes.io/hostname", config.name.as_str()),
        ("kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", architecture()),
        ("beta.kubernetes.io/os", "linux"),
        ("beta.kubernetes.io/arch", architecture()),
    ];
    let usual = usual
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    usual.chain(config.labels.clone()).collect()
}
