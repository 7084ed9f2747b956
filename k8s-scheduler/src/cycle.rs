//! One scheduling decision: from a pod and a snapshot to a node, or to the reasons why not.
//!
//! Pure: the same profile, pod, snapshot and options give the same decision.

mod explain;
mod filter;
mod rejection;
mod score;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::{
    cache::{NodeInfo, PodInfo, Snapshot},
    config::Profile,
    framework::{PostFilter, Verdict},
};
use filter::Prepared;
use score::pick;

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
    let filters = match filter::prepare(profile, pod, snapshot)? {
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
    let totals = score::totals(profile, pod, &feasible, snapshot, explanation);
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
