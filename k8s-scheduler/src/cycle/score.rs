//! PreScore, Score and the choice: which of the nodes that would do is best.

use std::sync::Arc;

use super::{Explanation, Score, scramble};
use crate::{
    cache::{NodeInfo, PodInfo, Snapshot},
    config::Profile,
    framework::{NodeScore, ScorePlugin, Verdict},
};

/// The weighted sum of each node's normalised scores.
pub(super) fn totals(
    profile: &Profile,
    pod: &PodInfo,
    nodes: &[Arc<NodeInfo>],
    snapshot: &Snapshot,
    explanation: &mut Option<Explanation>,
) -> Vec<i64> {
    let mut totals = vec![0; nodes.len()];
    if nodes.len() == 1 && explanation.is_none() {
        return totals;
    }
    let mut prepared = Vec::new();
    for served in &profile.points.pre_score {
        let found = served.plugin.pre_score(pod, nodes, snapshot);
        prepared.push((served.name, found));
    }
    for (name, weight, plugin) in profile.scores() {
        let pre = prepared.iter().find(|(other, _)| *other == name);
        if pre.is_some_and(|(_, pre)| pre.verdict != Verdict::Success) {
            continue;
        }
        let raw = raw_scores(
            plugin,
            pre.and_then(|(_, pre)| pre.score.as_ref()),
            pod,
            nodes,
        );
        let mut scores = raw.clone();
        plugin.normalize(&mut scores);
        for (total, score) in totals.iter_mut().zip(&scores) {
            *total += score * weight;
        }
        if let Some(explanation) = explanation {
            for ((node, raw), normalized) in nodes.iter().zip(raw).zip(scores) {
                let score = Score {
                    plugin: name,
                    raw,
                    normalized,
                    weight,
                };
                explanation.node(node.name()).scores.push(score);
            }
        }
    }
    totals
}

fn raw_scores(
    plugin: &dyn ScorePlugin,
    prepared: Option<&NodeScore<'_>>,
    pod: &PodInfo,
    nodes: &[Arc<NodeInfo>],
) -> Vec<i64> {
    match prepared {
        Some(score) => nodes.iter().map(|node| score(node)).collect(),
        None => nodes.iter().map(|node| plugin.score(pod, node)).collect(),
    }
}

/// One of the nodes with the highest total, by lot.
pub(super) fn pick<'a>(nodes: &'a [Arc<NodeInfo>], totals: &[i64], seed: u64) -> &'a NodeInfo {
    let best = totals.iter().max().expect("there is a feasible node");
    let ties: Vec<_> = nodes
        .iter()
        .zip(totals)
        .filter(|(_, total)| *total == best)
        .collect();
    let at = scramble(seed) % ties.len() as u64;
    ties[at as usize].0
}
