//! One `APIService` for each version of an API group that this server serves itself.

use serde_json::json;

use super::{Keep, Maker};
use crate::ApiError;

const GROUP: &str = "apiregistration.k8s.io";

/// Groups in the order in which clients prefer them, with Kubernetes' own numbers; higher comes first.
const PRIORITIES: [(&str, u32); 22] = [
    ("", 18000),
    ("events.k8s.io", 17750),
    ("apps", 17800),
    ("authentication.k8s.io", 17700),
    ("authorization.k8s.io", 17600),
    ("autoscaling", 17500),
    ("batch", 17400),
    ("certificates.k8s.io", 17300),
    ("networking.k8s.io", 17200),
    ("policy", 17100),
    ("rbac.authorization.k8s.io", 17000),
    ("storage.k8s.io", 16800),
    ("storagemigration.k8s.io", 16800),
    ("apiextensions.k8s.io", 16700),
    ("admissionregistration.k8s.io", 16700),
    ("scheduling.k8s.io", 16600),
    ("coordination.k8s.io", 16500),
    ("node.k8s.io", 16300),
    ("discovery.k8s.io", 16200),
    ("resource.k8s.io", 16200),
    ("flowcontrol.apiserver.k8s.io", 16100),
    ("internal.apiserver.k8s.io", 16000),
];

/// Where a group comes that Kubernetes doesn't know.
const OTHER: u32 = 1000;

pub(super) async fn run(maker: &Maker<'_>) -> Result<(), ApiError> {
    let mut seen = Vec::new();
    for endpoint in maker.registry.resources().all() {
        let row = endpoint.row();
        for (at, version) in row.versions.iter().rev().enumerate() {
            let served = (row.group.clone(), version.clone());
            if row.group == GROUP || seen.contains(&served) {
                continue;
            }
            let value = service(&row.group, version, at);
            maker
                .ensure(GROUP, "apiservices", value, Keep::Existing)
                .await?;
            seen.push(served);
        }
    }
    Ok(())
}

/// A service that is local, since it names none; `rank` counts the versions of the group upwards.
fn service(group: &str, version: &str, rank: usize) -> serde_json::Value {
    let known = PRIORITIES.iter().find(|(each, _)| *each == group);
    let priority = known.map_or(OTHER, |(_, priority)| *priority);
    let version_priority = match group {
        "" => 1,
        _ => 15 * (rank + 1),
    };
    json!({
        "metadata": {
            "name": format!("{version}.{group}"),
            "labels": {"kube-aggregator.kubernetes.io/automanaged": "onstart"},
        },
        "spec": {
            "group": group,
            "version": version,
            "groupPriorityMinimum": priority,
            "versionPriority": version_priority,
        },
    })
}
