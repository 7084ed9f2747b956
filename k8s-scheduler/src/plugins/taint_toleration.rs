//! TaintToleration: `NoSchedule` and `NoExecute` taints keep a pod away unless it tolerates them;
//! nodes with fewer untolerated `PreferNoSchedule` taints are preferred.

use std::sync::Arc;

use k8s_apimachinery::pod::taint::{self, NO_EXECUTE, NO_SCHEDULE, PREFER_NO_SCHEDULE};

use crate::{
    cache::{NodeInfo, PodInfo},
    framework::{
        Change, ClusterEvent, FilterPlugin, Plugin, Points, ScorePlugin, Verdict, normalize_to_max,
    },
};

/// The plugin's name.
pub const NAME: &str = "TaintToleration";

/// Filters by hard taints, scores by soft ones.
pub struct TaintToleration;

impl Plugin for TaintToleration {
    fn name(&self) -> &'static str {
        NAME
    }

    fn register(self: Arc<Self>, points: &mut Points) {
        points.filter(self.clone()).score(self);
    }

    fn events(&self) -> &'static [ClusterEvent] {
        &[ClusterEvent::NodeAdded, ClusterEvent::NodeTaintsChanged]
    }

    fn may_help(&self, change: &Change, pod: &PodInfo) -> bool {
        let node = change.node.clone().map(NodeInfo::new);
        node.is_none_or(|node| self.filter(pod, &node).is_success())
    }
}

impl FilterPlugin for TaintToleration {
    fn filter(&self, pod: &PodInfo, node: &NodeInfo) -> Verdict {
        let tolerations = taint::tolerations(&pod.pod);
        let hard = [NO_SCHEDULE, NO_EXECUTE];
        match taint::find_untolerated(taint::taints(&node.node), tolerations, &hard) {
            None => Verdict::Success,
            Some(taint) => Verdict::unresolvable(format!(
                "node(s) had untolerated taint {{{}: {}}}",
                taint.key,
                taint.value.as_deref().unwrap_or_default()
            )),
        }
    }
}

impl ScorePlugin for TaintToleration {
    fn score(&self, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let tolerations = taint::tolerations(&pod.pod);
        let soft = taint::taints(&node.node)
            .iter()
            .filter(|taint| taint.effect == PREFER_NO_SCHEDULE);
        let untolerated =
            soft.filter(|taint| !tolerations.iter().any(|t| taint::tolerates(t, taint)));
        i64::try_from(untolerated.count()).unwrap_or(i64::MAX)
    }

    fn normalize(&self, scores: &mut [i64]) {
        normalize_to_max(scores, true);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{node, pod};

    #[test]
    fn an_untolerated_taint_is_named() {
        let tainted = node("n").taint("disk", "slow", NO_SCHEDULE).info();
        let verdict = TaintToleration.filter(&pod("a").info(), &tainted);
        assert_eq!(
            verdict,
            Verdict::unresolvable("node(s) had untolerated taint {disk: slow}")
        );
        let bears = json!([{"key": "disk", "value": "slow"}]);
        let tolerant = pod("a").spec(json!({"tolerations": bears})).info();
        assert!(TaintToleration.filter(&tolerant, &tainted).is_success());
    }

    #[test]
    fn soft_taints_only_cost_points() {
        let soft = node("n").taint("a", "", PREFER_NO_SCHEDULE).info();
        let pod = pod("a").info();
        assert!(TaintToleration.filter(&pod, &soft).is_success());
        let mut scores = [
            TaintToleration.score(&pod, &soft),
            TaintToleration.score(&pod, &node("m").info()),
        ];
        TaintToleration.normalize(&mut scores);
        assert_eq!(scores, [0, 100]);
    }
}
