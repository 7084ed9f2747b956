//! A scoring plugin from outside the crate: prefer the cheapest node.
//!
//! `cargo run -p k8s-scheduler --example custom_plugin` (needs no cluster)

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_scheduler::{
    Profile,
    cache::{NodeInfo, PodInfo, Snapshot},
    cycle::{self, Options, Outcome},
    framework::{Plugin, Points, ScorePlugin, normalize_to_max},
};
use serde_json::{from_value, json};

/// Scores by the label `price`: the lower, the better.
struct Cheapest;

impl Plugin for Cheapest {
    fn name(&self) -> &'static str {
        "Cheapest"
    }

    fn register(self: Arc<Self>, points: &mut Points) {
        points.score(self);
    }
}

impl ScorePlugin for Cheapest {
    fn score(&self, _pod: &PodInfo, node: &NodeInfo) -> i64 {
        let labels = node.node.metadata.labels.as_ref();
        let price = labels.and_then(|labels| labels.get("price"));
        price.and_then(|price| price.parse().ok()).unwrap_or(0)
    }

    fn normalize(&self, scores: &mut [i64]) {
        normalize_to_max(scores, true);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let profile = Profile::default().with_weight(Cheapest, 10);
    let cluster = Snapshot::of(
        [
            node("gold", "300")?,
            node("silver", "200")?,
            node("tin", "20")?,
        ],
        [],
    );
    let web = PodInfo::from(from_value::<Pod>(json!({
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"containers": [{"name": "web", "resources": {"requests": {"cpu": "500m"}}}]},
    }))?);
    let options = Options {
        explain: true,
        ..Options::default()
    };
    let decision = cycle::schedule(&profile, &web, &cluster, &options);
    print!("{}", decision.explanation.unwrap_or_default());
    match decision.outcome {
        Outcome::Placed { node, .. } if node == "tin" => println!("{} goes to {node}", web.key),
        other => return Err(format!("expected the cheapest node, got {other:?}").into()),
    }
    Ok(())
}

fn node(name: &str, price: &str) -> Result<Node, serde_json::Error> {
    from_value(json!({
        "metadata": {"name": name, "labels": {"price": price}},
        "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}},
    }))
}
