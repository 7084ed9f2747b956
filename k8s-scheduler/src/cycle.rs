//! One scheduling decision: from a pod and a snapshot to a node, or to the reasons why not.
//!
//! Pure: the same profile, pod, snapshot and options give the same decision.

mod explain;
mod rejection;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    cache::{NodeInfo, PodInfo, Snapshot},
    config::Profile,
    framework::{FilterPlugin, NodeFilter, NodeScore, PostFilter, ScorePlugin, Verdict},
};
pub use explain::{Explanation, NodeExplanation, Score};
pub use rejection::{Rejection, Rejections, summarize};

/// What a decision depends on besides pod and cluster.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The node (by position) to look at first: cycles take turns, so that in large clusters,
    /// where the search ends early, every node gets its chance.
    pub start: usize,
    /// Decides between nodes of equal score.
    pub seed: u64,
    /// Ask every plugin about every node, and keep what they say.
    pub explain: bool,
}

/// The result of a cycle.
#[derive(Debug)]
pub struct Decision {
    /// Where the pod goes, or why nowhere.
    pub outcome: Outcome,
    /// The [`Options::start`] of the next cycle.
    pub next_start: usize,
    /// What each plugin said, if asked for.
    pub explanation: Option<Explanation>,
}

/// How a cycle ended.
#[derive(Debug)]
pub enum Outcome {
    /// A node was chosen.
    Placed {
        /// Its name.
        node: String,
        /// How many nodes were filtered.
        evaluated: usize,
        /// How many of them would have done.
        feasible: usize,
    },
    /// No node will do.
    Unschedulable(Box<Rejections>),
    /// A plugin failed.
    Failed(String),
}

/// Decides where the pod goes.
pub fn schedule(
    profile: &Profile,
    pod: &PodInfo,
    snapshot: &Snapshot,
    options: &Options,
) -> Decision {
    let mut explanation = options.explain.then(Explanation::default);
    let mut next_start = options.start;
    let outcome = decide(
        profile,
        pod,
        snapshot,
        options,
        &mut next_start,
        &mut explanation,
    );
    Decision {
        outcome: outcome.unwrap_or_else(Outcome::Failed),
        next_start,
        explanation,
    }
}

fn decide(
    profile: &Profile,
    pod: &PodInfo,
    snapshot: &Snapshot,
    options: &Options,
    next_start: &mut usize,
    explanation: &mut Option<Explanation>,
) -> Result<Outcome, String> {
    let mut rejections = Rejections::new(snapshot.nodes().len());
    let filters = match prepare_filters(profile, pod, snapshot)? {
        Prepared::Rejected(plugin, verdict) => {
            rejections.pre_filter = Some((plugin, verdict));
            return Ok(give_up(profile, pod, snapshot, rejections));
        }
        Prepared::Filters(filters) => filters,
    };

    let nodes = snapshot.nodes();
    let wanted = match options.explain {
        true => nodes.len(),
        false => candidates_wanted(nodes.len(), profile.percentage_of_nodes_to_score),
    };
    let start = options.start.checked_rem(nodes.len()).unwrap_or(0);
    let mut feasible: Vec<Arc<NodeInfo>> = Vec::new();
    let mut evaluated = 0;
    for node in nodes[start..].iter().chain(&nodes[..start]) {
        if !filters.admits(node.name()) {
            continue;
        }
        if feasible.len() >= wanted {
            break;
        }
        evaluated += 1;
        match filters.run(pod, node, explanation)? {
            None => feasible.push(node.clone()),
            Some((plugin, verdict)) => rejections.add(node.clone(), plugin, verdict),
        }
    }
    *next_start = (start + evaluated).checked_rem(nodes.len()).unwrap_or(0);
    rejections.narrowed_by = filters.narrowed_by;
    if feasible.is_empty() {
        return Ok(give_up(profile, pod, snapshot, rejections));
    }
    let totals = score(profile, pod, &feasible, snapshot, explanation);
    let node = pick(&feasible, &totals, options.seed);
    Ok(Outcome::Placed {
        node: node.name().to_owned(),
        evaluated,
        feasible: feasible.len(),
    })
}

/// How many fitting nodes are enough to choose from: all of up to 100; then a share that shrinks
/// from half to a twentieth as clusters grow, but never fewer than 100.
fn candidates_wanted(nodes: usize, percentage: Option<usize>) -> usize {
    const ENOUGH: usize = 100;
    let adapted = || 50_usize.saturating_sub(nodes / 125).max(5);
    let percentage = percentage.filter(|p| *p > 0).unwrap_or_else(adapted);
    match nodes < ENOUGH || percentage >= 100 {
        true => nodes,
        false => (nodes * percentage / 100).max(ENOUGH),
    }
}

enum Prepared<'a> {
    Rejected(&'static str, Verdict),
    Filters(Filters<'a>),
}

/// What is left to ask of each node once PreFilter has run.
struct Filters<'a> {
    filters: Vec<(&'static str, Filter<'a>)>,
    nodes: Option<BTreeSet<String>>,
    narrowed_by: Vec<&'static str>,
}

enum Filter<'a> {
    Plugin(&'a dyn FilterPlugin),
    Prepared(NodeFilter<'a>),
}

fn prepare_filters<'a>(
    profile: &'a Profile,
    pod: &'a PodInfo,
    snapshot: &'a Snapshot,
) -> Result<Prepared<'a>, String> {
    let plugins = profile.points.filter.iter();
    let mut filters = Filters {
        filters: plugins
            .map(|served| (served.name, Filter::Plugin(&*served.plugin)))
            .collect(),
        nodes: None,
        narrowed_by: Vec::new(),
    };
    for served in &profile.points.pre_filter {
        let found = served.plugin.pre_filter(pod, snapshot);
        match found.verdict {
            Verdict::Skip => filters.filters.retain(|(name, _)| *name != served.name),
            Verdict::Error(message) => return Err(failed("PreFilter", served.name, &message)),
            verdict if !verdict.is_success() => {
                return Ok(Prepared::Rejected(served.name, verdict));
            }
            _ => {}
        }
        if let Some(filter) = found.filter {
            filters.filters.retain(|(name, _)| *name != served.name);
            filters
                .filters
                .push((served.name, Filter::Prepared(filter)));
        }
        if let Some(nodes) = found.nodes {
            filters.nodes = Some(match filters.nodes.take() {
                None => nodes,
                Some(others) => others.intersection(&nodes).cloned().collect(),
            });
            filters.narrowed_by.push(served.name);
        }
    }
    Ok(Prepared::Filters(filters))
}

impl Filters<'_> {
    fn admits(&self, node: &str) -> bool {
        self.nodes.as_ref().is_none_or(|nodes| nodes.contains(node))
    }

    /// The first rejection; all filters are asked only when there is someone to explain it to.
    fn run(
        &self,
        pod: &PodInfo,
        node: &NodeInfo,
        explanation: &mut Option<Explanation>,
    ) -> Result<Option<(&'static str, Verdict)>, String> {
        let mut rejection = None;
        for (name, filter) in &self.filters {
            let verdict = match filter {
                Filter::Plugin(plugin) => plugin.filter(pod, node),
                Filter::Prepared(filter) => filter(node),
            };
            if let Verdict::Error(message) = &verdict {
                return Err(failed("Filter", name, message));
            }
            if let Some(explanation) = explanation {
                explanation
                    .node(node.name())
                    .filters
                    .push((name, verdict.clone()));
            }
            if !verdict.is_success() && rejection.is_none() {
                rejection = Some((*name, verdict));
                if explanation.is_none() {
                    break;
                }
            }
        }
        Ok(rejection)
    }
}

/// Asks the PostFilter plugins; the first that helps ends it.
fn give_up(
    profile: &Profile,
    pod: &PodInfo,
    snapshot: &Snapshot,
    mut rejections: Rejections,
) -> Outcome {
    for served in &profile.points.post_filter {
        let PostFilter {
            verdict,
            message,
            node,
            victims,
        } = served.plugin.post_filter(pod, snapshot, &rejections);
        if !message.is_empty() {
            rejections.post_filter = message;
        }
        if verdict == Verdict::Success {
            (rejections.nominated, rejections.victims) = (node, victims);
            break;
        }
    }
    Outcome::Unschedulable(Box::new(rejections))
}

/// The weighted sum of each node's normalised scores.
fn score(
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
fn pick<'a>(nodes: &'a [Arc<NodeInfo>], totals: &[i64], seed: u64) -> &'a NodeInfo {
    let best = totals.iter().max().expect("there is a feasible node");
    let ties: Vec<_> = nodes
        .iter()
        .zip(totals)
        .filter(|(_, total)| *total == best)
        .collect();
    let at = scramble(seed) % ties.len() as u64;
    ties[at as usize].0
}

/// A well-mixed number from any other (splitmix64).
pub(crate) fn scramble(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn failed(point: &str, plugin: &str, message: &str) -> String {
    format!("running {point} plugin {plugin:?}: {message}")
}
