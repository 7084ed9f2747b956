//! ImageLocality: prefers nodes that have the pod's images already, the more so the larger they
//! are. An image counts in proportion to the nodes that have it, lest one node that pulled it first
//! attract every pod.

use std::sync::Arc;

use crate::{
    cache::{NodeInfo, PodInfo, Snapshot},
    framework::{MAX_SCORE, Plugin, Points, PreScore, PreScorePlugin, ScorePlugin},
};

/// The plugin's name.
pub const NAME: &str = "ImageLocality";

const MB: i64 = 1024 * 1024;
/// Below this many bytes pulling is cheap enough not to matter.
const MIN: i64 = 23 * MB;
/// From this many bytes per container on, more makes no difference.
const MAX_PER_CONTAINER: i64 = 1000 * MB;

/// Scores by the bytes that need not be pulled.
pub struct ImageLocality;

impl Plugin for ImageLocality {
    fn name(&self) -> &'static str {
        NAME
    }

    fn register(self: Arc<Self>, points: &mut Points) {
        points.pre_score(self.clone()).score(self);
    }
}

impl PreScorePlugin for ImageLocality {
    fn pre_score<'a>(
        &'a self,
        pod: &'a PodInfo,
        _nodes: &'a [Arc<NodeInfo>],
        snapshot: &'a Snapshot,
    ) -> PreScore<'a> {
        let images = images(pod);
        let total = i64::try_from(snapshot.nodes().len()).unwrap_or(1).max(1);
        let most = MAX_PER_CONTAINER * i64::try_from(images.len()).unwrap_or(1).max(1);
        PreScore::score(move |node| {
            let spread = |image: &String| {
                let size = node.images.get(image)?;
                let nodes = i64::try_from(snapshot.nodes_with_image(image)).ok()?;
                Some(size * nodes / total)
            };
            let bytes: i64 = images.iter().filter_map(spread).sum();
            MAX_SCORE * (bytes.clamp(MIN, most) - MIN) / (most - MIN)
        })
    }
}

impl ScorePlugin for ImageLocality {
    /// Stands behind what [`PreScore`] prepared, which knows the other nodes.
    fn score(&self, _pod: &PodInfo, _node: &NodeInfo) -> i64 {
        0
    }
}

/// The names of the pod's images as nodes report them.
fn images(pod: &PodInfo) -> Vec<String> {
    let spec = pod.spec();
    let containers = spec.into_iter().flat_map(|spec| {
        let init = spec.init_containers.iter().flatten();
        init.chain(&spec.containers)
    });
    containers
        .filter_map(|c| c.image.as_deref())
        .map(with_tag)
        .collect()
}

/// A name without tag or digest means `latest`.
fn with_tag(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    match last.contains(':') {
        true => image.to_owned(),
        false => format!("{image}:latest"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{node, pod};

    #[test]
    fn a_node_with_the_image_scores_by_its_size_and_spread() {
        let having = node("n1")
            .image("registry:5000/web:latest", 1000 * MB)
            .build();
        let snapshot = Snapshot::of([having, node("n2").build()], []);
        let containers = json!([{"name": "c", "image": "registry:5000/web"}]);
        let pod = pod("a").spec(json!({"containers": containers})).info();
        let score = ImageLocality.pre_score(&pod, &[], &snapshot).score.unwrap();
        assert_eq!(score(snapshot.node("n1").unwrap()), 48);
        assert_eq!(score(snapshot.node("n2").unwrap()), 0);
    }

    #[test]
    fn a_name_without_tag_means_latest() {
        assert_eq!(with_tag("web"), "web:latest");
        assert_eq!(with_tag("host:5000/web"), "host:5000/web:latest");
        assert_eq!(with_tag("host:5000/web:v1"), "host:5000/web:v1");
    }
}
