//! PreFilter and Filter: which nodes would do.

use std::collections::BTreeSet;

use super::{Explanation, failed};
use crate::{
    cache::{NodeInfo, PodInfo, Snapshot},
    config::Profile,
    framework::{FilterPlugin, NodeFilter, Verdict},
};

/// The outcome of PreFilter.
pub(super) enum Prepared<'a> {
    Rejected(&'static str, Verdict),
    Filters(Filters<'a>),
}

/// What is left to ask of each node once PreFilter has run.
pub(super) struct Filters<'a> {
    filters: Vec<(&'static str, Filter<'a>)>,
    nodes: Option<BTreeSet<String>>,
    pub(super) narrowed_by: Vec<&'static str>,
}

enum Filter<'a> {
    Plugin(&'a dyn FilterPlugin),
    Prepared(NodeFilter<'a>),
}

/// Runs PreFilter.
pub(super) fn prepare<'a>(
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
            let filter = Filter::Prepared(filter);
            let mut all = filters.filters.iter_mut();
            match all.find(|(name, _)| *name == served.name) {
                Some(place) => place.1 = filter,
                None => filters.filters.push((served.name, filter)),
            }
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
    /// Whether the node is to be looked at.
    pub(super) fn admits(&self, node: &str) -> bool {
        self.nodes.as_ref().is_none_or(|nodes| nodes.contains(node))
    }

    /// The first rejection; all filters are asked only when there is someone to explain it to.
    pub(super) fn run(
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
