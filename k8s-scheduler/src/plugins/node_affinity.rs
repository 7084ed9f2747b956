//! NodeAffinity: `nodeSelector` and required node affinity filter, preferred node affinity scores.

use std::{collections::BTreeSet, sync::Arc};

use k8s_apimachinery::pod::affinity;
use k8s_openapi::api::core::v1::{NodeSelector, NodeSelectorTerm};

use crate::{
    cache::{NodeInfo, PodInfo, Snapshot},
    framework::{
        Change, ClusterEvent, FilterPlugin, Plugin, Points, PreFilter, PreFilterPlugin, PreScore,
        PreScorePlugin, ScorePlugin, Verdict, normalize_to_max,
    },
};

/// The plugin's name.
pub const NAME: &str = "NodeAffinity";

/// Filters and scores by the node's labels and name.
pub struct NodeAffinity;

impl Plugin for NodeAffinity {
    fn name(&self) -> &'static str {
        NAME
    }

    fn register(self: Arc<Self>, points: &mut Points) {
        points.pre_filter(self.clone()).filter(self.clone());
        points.pre_score(self.clone()).score(self);
    }

    fn events(&self) -> &'static [ClusterEvent] {
        &[ClusterEvent::NodeAdded, ClusterEvent::NodeLabelsChanged]
    }

    fn may_help(&self, change: &Change, pod: &PodInfo) -> bool {
        let node = change.node.as_ref();
        node.is_none_or(|node| affinity::matches_required(&pod.pod, node))
    }
}

impl PreFilterPlugin for NodeAffinity {
    /// A daemon's pods name their node in every term: then only those nodes are looked at.
    fn pre_filter<'a>(&'a self, pod: &'a PodInfo, _snapshot: &'a Snapshot) -> PreFilter<'a> {
        let selects = pod.spec().is_some_and(|spec| spec.node_selector.is_some());
        match required(pod) {
            None if !selects => Verdict::Skip.into(),
            None => Verdict::Success.into(),
            Some(selector) => match named_nodes(selector) {
                Some(nodes) => PreFilter::nodes(nodes),
                None => Verdict::Success.into(),
            },
        }
    }
}

impl FilterPlugin for NodeAffinity {
    fn filter(&self, pod: &PodInfo, node: &NodeInfo) -> Verdict {
        if affinity::matches_required(&pod.pod, &node.node) {
            Verdict::Success
        } else {
            Verdict::unresolvable("node(s) didn't match Pod's node affinity/selector")
        }
    }
}

impl PreScorePlugin for NodeAffinity {
    fn pre_score<'a>(
        &'a self,
        pod: &'a PodInfo,
        _nodes: &'a [Arc<NodeInfo>],
        _snapshot: &'a Snapshot,
    ) -> PreScore<'a> {
        let preferred = node_affinity(pod).and_then(|a| {
            a.preferred_during_scheduling_ignored_during_execution
                .as_ref()
        });
        match preferred.is_some_and(|terms| !terms.is_empty()) {
            true => Verdict::Success.into(),
            false => Verdict::Skip.into(),
        }
    }
}

impl ScorePlugin for NodeAffinity {
    fn score(&self, pod: &PodInfo, node: &NodeInfo) -> i64 {
        affinity::preferred_weight(&pod.pod, &node.node)
    }

    fn normalize(&self, scores: &mut [i64]) {
        normalize_to_max(scores, false);
    }
}

fn node_affinity(pod: &PodInfo) -> Option<&k8s_openapi::api::core::v1::NodeAffinity> {
    pod.spec()?.affinity.as_ref()?.node_affinity.as_ref()
}

fn required(pod: &PodInfo) -> Option<&NodeSelector> {
    node_affinity(pod)?
        .required_during_scheduling_ignored_during_execution
        .as_ref()
}

/// The nodes that the terms name, if each of them names some.
fn named_nodes(selector: &NodeSelector) -> Option<BTreeSet<String>> {
    let mut nodes = BTreeSet::new();
    for term in &selector.node_selector_terms {
        nodes.extend(named_by_term(term)?);
    }
    Some(nodes)
}

fn named_by_term(term: &NodeSelectorTerm) -> Option<Vec<String>> {
    let mut fields = term.match_fields.iter().flatten();
    let name = fields.find(|field| field.key == "metadata.name" && field.operator == "In")?;
    name.values.clone()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{node, pod};

    fn with_affinity(affinity: Value) -> PodInfo {
        let spec = json!({"affinity": {"nodeAffinity": affinity}});
        pod("a").spec(spec).info()
    }

    #[test]
    fn the_selector_must_match() {
        let pod = pod("a")
            .spec(json!({"nodeSelector": {"disk": "ssd"}}))
            .info();
        assert!(
            NodeAffinity
                .filter(&pod, &node("n").label("disk", "ssd").info())
                .is_success()
        );
        assert_eq!(
            NodeAffinity.filter(&pod, &node("n").info()),
            Verdict::unresolvable("node(s) didn't match Pod's node affinity/selector")
        );
    }

    #[test]
    fn terms_that_all_name_nodes_narrow_the_search() {
        let by_name = |name: &str| json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]});
        let narrowed = |terms: Value| {
            let required = json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}});
            NodeAffinity
                .pre_filter(&with_affinity(required), &Snapshot::default())
                .nodes
        };
        let both = narrowed(json!([by_name("n1"), by_name("n2")]));
        assert_eq!(both, Some(["n1".to_owned(), "n2".to_owned()].into()));
        let label = json!({"matchExpressions": [{"key": "a", "operator": "Exists"}]});
        assert_eq!(narrowed(json!([by_name("n1"), label])), None);
    }

    #[test]
    fn preferences_score() {
        let term = json!({"matchExpressions": [{"key": "fast", "operator": "Exists"}]});
        let preferred = json!([{"weight": 7, "preference": term}]);
        let pod =
            with_affinity(json!({"preferredDuringSchedulingIgnoredDuringExecution": preferred}));
        assert_eq!(
            NodeAffinity.score(&pod, &node("n").label("fast", "").info()),
            7
        );
        assert_eq!(NodeAffinity.score(&pod, &node("n").info()), 0);
    }
}
