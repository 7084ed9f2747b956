//! NodeResourcesFit: what the pod requests must be free on the node; of the nodes where it fits,
//! those with the most left over score highest (LeastAllocated).

use std::sync::Arc;

use crate::{
    cache::{NodeInfo, PodInfo},
    framework::{ClusterEvent, FilterPlugin, MAX_SCORE, Plugin, Points, ScorePlugin, Verdict},
};

/// The plugin's name.
pub const NAME: &str = "NodeResourcesFit";

/// Filters by free resources of every kind, scores by free CPU and memory.
pub struct NodeResourcesFit;

impl Plugin for NodeResourcesFit {
    fn name(&self) -> &'static str {
        NAME
    }

    fn register(self: Arc<Self>, points: &mut Points) {
        points.filter(self.clone()).score(self);
    }

    fn events(&self) -> &'static [ClusterEvent] {
        &[
            ClusterEvent::NodeAdded,
            ClusterEvent::NodeAllocatableChanged,
            ClusterEvent::AssignedPodUpdated,
            ClusterEvent::AssignedPodDeleted,
        ]
    }
}

impl FilterPlugin for NodeResourcesFit {
    fn filter(&self, pod: &PodInfo, node: &NodeInfo) -> Verdict {
        let mut reasons = Vec::new();
        let mut is_hopeless = false;
        if node.pods.len() + 1 > node.allowed_pods {
            reasons.push("Too many pods".to_owned());
            is_hopeless |= node.allowed_pods == 0;
        }
        for (name, amount) in pod.requests.iter() {
            let offered = node.allocatable.get(name);
            if amount > offered - node.requested.get(name) {
                reasons.push(format!("Insufficient {name}"));
                // Even an empty node wouldn't do.
                is_hopeless |= amount > offered;
            }
        }
        if is_hopeless {
            return Verdict::UnschedulableUnresolvable { reasons };
        }
        Verdict::from_reasons(reasons)
    }
}

impl ScorePlugin for NodeResourcesFit {
    fn score(&self, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let scores = ["cpu", "memory"].into_iter().filter_map(|name| {
            let offered = node.allocatable.get(name);
            let taken = node.scoring_requested.get(name) + pod.scoring_requests.get(name);
            ((offered - taken).max(0) * MAX_SCORE).checked_div(offered)
        });
        let (sum, count) = scores.fold((0, 0), |(sum, count), score| (sum + score, count + 1));
        i64::checked_div(sum, count).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{node, pod};

    #[track_caller]
    fn check(requests: &[(&str, &str)], want: &[&str]) {
        let mut busy = node("n").room("1", "1Gi").info();
        busy.add_pod(Arc::new(pod("old").requests(&[("cpu", "600m")]).info()));
        let verdict = NodeResourcesFit.filter(&pod("new").requests(requests).info(), &busy);
        assert_eq!(verdict.reasons(), want);
    }

    #[test]
    fn everything_requested_must_be_free() {
        check(&[("cpu", "400m"), ("memory", "1Gi")], &[]);
        check(&[("cpu", "401m")], &["Insufficient cpu"]);
        check(
            &[("cpu", "500m"), ("memory", "2Gi")],
            &["Insufficient cpu", "Insufficient memory"],
        );
        check(
            &[("example.com/gpu", "1")],
            &["Insufficient example.com/gpu"],
        );
    }

    #[test]
    fn a_node_takes_only_so_many_pods() {
        let mut small = node("n").room("1", "1Gi").max_pods(1).info();
        assert!(
            NodeResourcesFit
                .filter(&pod("a").info(), &small)
                .is_success()
        );
        small.add_pod(Arc::new(pod("a").info()));
        let verdict = NodeResourcesFit.filter(&pod("b").info(), &small);
        assert_eq!(verdict, Verdict::unschedulable("Too many pods"));
    }

    #[test]
    fn a_request_that_no_empty_node_could_meet_is_unresolvable() {
        let pod = pod("a").requests(&[("cpu", "2")]).info();
        let verdict = NodeResourcesFit.filter(&pod, &node("n").room("1", "1Gi").info());
        assert_eq!(verdict, Verdict::unresolvable("Insufficient cpu"));
    }

    #[test]
    fn the_emptier_node_scores_higher() {
        let pod = pod("a")
            .requests(&[("cpu", "500m"), ("memory", "512Mi")])
            .info();
        let score = |cpu, memory| NodeResourcesFit.score(&pod, &node("n").room(cpu, memory).info());
        assert_eq!(score("1", "1Gi"), 50);
        assert_eq!(score("2", "2Gi"), 75);
        assert_eq!(score("500m", "1Gi"), 25);
    }
}
