//! Why a pod fits nowhere, node by node, and in the sentence that users read.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use crate::{
    cache::{NodeInfo, PodInfo},
    framework::Verdict,
};

/// One node's rejection.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// The node.
    pub node: Arc<NodeInfo>,
    /// Who rejected it.
    pub plugin: &'static str,
    /// Why.
    pub verdict: Verdict,
}

/// Why no node would do. Displays as Kubernetes' message.
#[derive(Clone, Debug, Default)]
pub struct Rejections {
    /// How many nodes there are.
    pub all_nodes: usize,
    /// The PreFilter plugin that rejected the pod altogether.
    pub pre_filter: Option<(&'static str, Verdict)>,
    /// The nodes that a Filter plugin rejected.
    pub nodes: Vec<Rejection>,
    /// The PreFilter plugins because of which some nodes weren't even looked at.
    pub narrowed_by: Vec<&'static str>,
    /// What PostFilter had to say.
    pub post_filter: String,
    /// Where the pod may go once the victims are gone.
    pub nominated: Option<String>,
    /// The pods to evict for it.
    pub victims: Vec<Arc<PodInfo>>,
}

impl Rejections {
    pub(super) fn new(all_nodes: usize) -> Self {
        Self {
            all_nodes,
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, node: Arc<NodeInfo>, plugin: &'static str, verdict: Verdict) {
        self.nodes.push(Rejection {
            node,
            plugin,
            verdict,
        });
    }

    /// The plugins whose events may change the matter.
    pub fn plugins(&self) -> BTreeSet<&'static str> {
        let filters = self.nodes.iter().map(|rejection| rejection.plugin);
        let pre_filter = self.pre_filter.iter().map(|(plugin, _)| *plugin);
        filters
            .chain(pre_filter)
            .chain(self.narrowed_by.iter().copied())
            .collect()
    }

    /// The nodes where removing pods might help.
    pub fn resolvable(&self) -> impl Iterator<Item = &NodeInfo> {
        let resolvable = |r: &&Rejection| matches!(r.verdict, Verdict::Unschedulable { .. });
        self.nodes.iter().filter(resolvable).map(|r| &*r.node)
    }

    fn histogram(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for reason in self.nodes.iter().flat_map(|r| r.verdict.reasons()) {
            *counts.entry(reason.clone()).or_default() += 1;
        }
        let skipped = self.all_nodes - self.nodes.len();
        if skipped > 0 && !self.narrowed_by.is_empty() {
            let plugins = self.narrowed_by.join(" ");
            counts.insert(
                format!("node(s) didn't satisfy plugin(s) [{plugins}]"),
                skipped,
            );
        }
        counts
    }
}

/// `0/3 nodes are available: 1 this, 2 that.`
pub fn summarize(nodes: usize, reasons: &BTreeMap<String, usize>) -> String {
    let counted = reasons.iter().filter(|(_, count)| **count > 0);
    let mut parts: Vec<_> = counted
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    parts.sort();
    match parts.is_empty() {
        true => format!("0/{nodes} nodes are available:"),
        false => format!("0/{nodes} nodes are available: {}.", parts.join(", ")),
    }
}

impl fmt::Display for Rejections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.all_nodes == 0 {
            return f.write_str("no nodes available to schedule pods");
        }
        match &self.pre_filter {
            Some((_, verdict)) => {
                write!(f, "0/{} nodes are available: {verdict}.", self.all_nodes)?;
            }
            None => f.write_str(&summarize(self.all_nodes, &self.histogram()))?,
        }
        if !self.post_filter.is_empty() {
            write!(f, " {}", self.post_filter)?;
        }
        Ok(())
    }
}
