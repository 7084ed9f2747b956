//! NodeResourcesBalancedAllocation: prefers nodes whose CPU and memory would be used alike, so that
//! neither runs out while much of the other is left.

use std::sync::Arc;

use crate::{
    cache::{NodeInfo, PodInfo, Snapshot},
    framework::{MAX_SCORE, Plugin, Points, PreScore, PreScorePlugin, ScorePlugin, Verdict},
};

/// The plugin's name.
pub const NAME: &str = "NodeResourcesBalancedAllocation";

/// Scores by how close the used shares of CPU and memory are.
pub struct NodeResourcesBalancedAllocation;

impl Plugin for NodeResourcesBalancedAllocation {
    fn name(&self) -> &'static str {
        NAME
    }

    fn register(self: Arc<Self>, points: &mut Points) {
        points.pre_score(self.clone()).score(self);
    }
}

impl PreScorePlugin for NodeResourcesBalancedAllocation {
    /// A pod that requests neither moves no balance.
    fn pre_score<'a>(
        &'a self,
        pod: &'a PodInfo,
        _nodes: &'a [Arc<NodeInfo>],
        _snapshot: &'a Snapshot,
    ) -> PreScore<'a> {
        match (pod.requests.milli_cpu, pod.requests.memory) {
            (0, 0) => Verdict::Skip.into(),
            _ => Verdict::Success.into(),
        }
    }
}

impl ScorePlugin for NodeResourcesBalancedAllocation {
    fn score(&self, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let share = |name: &str| {
            let offered = node.allocatable.get(name);
            let taken = node.requested.get(name) + pod.requests.get(name);
            (offered > 0).then(|| (taken as f64 / offered as f64).min(1.0))
        };
        // The standard deviation of two values is half their distance.
        let deviation = match (share("cpu"), share("memory")) {
            (Some(cpu), Some(memory)) => (cpu - memory).abs() / 2.0,
            _ => 0.0,
        };
        ((1.0 - deviation) * MAX_SCORE as f64) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{node, pod};

    #[test]
    fn equal_shares_score_best() {
        let node = node("n").room("2", "2Gi").info();
        let score = |cpu, memory| {
            let pod = pod("a")
                .requests(&[("cpu", cpu), ("memory", memory)])
                .info();
            NodeResourcesBalancedAllocation.score(&pod, &node)
        };
        assert_eq!(score("1", "1Gi"), 100);
        assert_eq!(score("2", "0"), 50);
        assert_eq!(score("1", "0"), 75);
    }
}
