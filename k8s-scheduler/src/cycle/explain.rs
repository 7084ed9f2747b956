//! What each plugin said about each node: for people who compare schedulers.

use std::{collections::BTreeMap, fmt};

use crate::framework::Verdict;

/// Every verdict and score of one cycle, by node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explanation {
    /// The nodes that were looked at.
    pub nodes: BTreeMap<String, NodeExplanation>,
}

/// What was said about one node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeExplanation {
    /// Filter verdicts, in the order of the plugins; all of them, not only the first rejection.
    pub filters: Vec<(&'static str, Verdict)>,
    /// Scores, if the node passed every filter.
    pub scores: Vec<Score>,
}

/// One plugin's score of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score {
    /// The plugin.
    pub plugin: &'static str,
    /// As the plugin gave it.
    pub raw: i64,
    /// From 0 to 100, in comparison with the other nodes.
    pub normalized: i64,
    /// How often it counts.
    pub weight: i64,
}

impl Explanation {
    pub(super) fn node(&mut self, name: &str) -> &mut NodeExplanation {
        self.nodes.entry(name.to_owned()).or_default()
    }
}

impl NodeExplanation {
    /// The node's final score.
    pub fn total(&self) -> i64 {
        self.scores.iter().map(|s| s.normalized * s.weight).sum()
    }
}

impl fmt::Display for Explanation {
    /// A line per node: who rejected it and why, or how its score came about.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, node) in &self.nodes {
            write!(f, "{name}:")?;
            let rejections = node.filters.iter().filter(|(_, v)| !v.is_success());
            let mut is_rejected = false;
            for (plugin, verdict) in rejections {
                is_rejected = true;
                write!(f, " {plugin}: {verdict};")?;
            }
            if !is_rejected {
                write!(f, " {} =", node.total())?;
                for (at, score) in node.scores.iter().enumerate() {
                    let sign = if at == 0 { "" } else { " +" };
                    write!(
                        f,
                        "{sign} {}*{} {}",
                        score.weight, score.normalized, score.plugin
                    )?;
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
