//! A pod keeps others off its node at most, not out of a zone.

use async_trait::async_trait;
use k8s_apimachinery::{Object, Value};

use super::{Admission, Review};
use crate::{ApiError, registry::Effects};

/// The one label that pods may be kept apart by.
const HOSTNAME: &str = "kubernetes.io/hostname";

/// Refuses pods whose required anti-affinity is about anything wider than a node. Off by default.
#[derive(Debug, Clone, Copy)]
pub struct LimitPodHardAntiAffinityTopology;

#[async_trait]
impl Admission for LimitPodHardAntiAffinityTopology {
    fn name(&self) -> &'static str {
        "LimitPodHardAntiAffinityTopology"
    }

    async fn validate(
        &self,
        review: &Review<'_>,
        pod: Option<&Object>,
    ) -> Result<Effects, ApiError> {
        let path = [
            "spec",
            "affinity",
            "podAntiAffinity",
            "requiredDuringSchedulingIgnoredDuringExecution",
        ];
        let pod = pod.filter(|_| review.creates("", "pods"));
        let terms = pod.and_then(|pod| pod.get(&path)).and_then(Value::as_array);
        for term in terms.into_iter().flatten() {
            let key = term["topologyKey"].as_str().unwrap_or_default();
            if key != HOSTNAME {
                return Err(review.forbidden(format!(
                    "affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey {key} but only key {HOSTNAME} is \
                     allowed"
                )));
            }
        }
        Ok(Effects::default())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::testing::Cluster, LimitPodHardAntiAffinityTopology};

    #[tokio::test]
    async fn pods_are_kept_apart_by_node_alone() {
        let refused = r#"pods "p" is forbidden: affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey topology.kubernetes.io/zone but only key kubernetes.io/hostname is allowed"#;
        for (kind, key, want) in [
            ("podAntiAffinity", "kubernetes.io/hostname", Ok(())),
            (
                "podAntiAffinity",
                "topology.kubernetes.io/zone",
                Err(refused.to_owned()),
            ),
            ("podAffinity", "topology.kubernetes.io/zone", Ok(())),
        ] {
            let cluster = Cluster::with(LimitPodHardAntiAffinityTopology).await;
            let term =
                json!({ "topologyKey": key, "labelSelector": { "matchLabels": { "app": "web" } } });
            let terms = json!({ "requiredDuringSchedulingIgnoredDuringExecution": [term] });
            let pod = json!({ "spec": { "affinity": { kind: terms } } });
            let found = cluster.pod(pod).await.map(drop);
            assert_eq!(found, want, "{kind} {key}");
        }
    }
}
