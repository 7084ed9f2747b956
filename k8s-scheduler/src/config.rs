//! Profiles: which plugins decide for the pods of one scheduler name, in which order, with which
//! weights.

use std::sync::Arc;

use crate::{
    framework::{Plugin, Points, ScorePlugin},
    plugins::*,
};

/// The `spec.schedulerName` that pods have unless they say otherwise.
pub const DEFAULT_SCHEDULER: &str = "default-scheduler";

/// A named set of plugins.
pub struct Profile {
    /// The `spec.schedulerName` of the pods it serves.
    pub scheduler_name: String,
    /// Percentage of nodes to look at for candidates; `None` adapts to the cluster's size.
    pub percentage_of_nodes_to_score: Option<usize>,
    pub(crate) points: Points,
    pub(crate) plugins: Vec<Arc<dyn Plugin>>,
}

impl Default for Profile {
    /// The built-in plugins with Kubernetes' weights, under Kubernetes' name. (Binding is added by
    /// the scheduler, which has the client.)
    fn default() -> Self {
        Self::empty(DEFAULT_SCHEDULER)
            .with(SchedulingGates)
            .with(PrioritySort)
            .with(NodeUnschedulable)
            .with(NodeName)
            .with_weight(TaintToleration, 3)
            .with_weight(NodeAffinity, 2)
            .with(NodePorts)
            .with(NodeResourcesFit)
            .with(VolumeRestrictions)
            .with(NodeVolumeLimits)
            .with(VolumeBinding::default())
            .with(VolumeZone)
            .with(NodeResourcesBalancedAllocation)
            .with(ImageLocality)
            .with(PreemptionAdvice)
    }
}

impl Profile {
    /// A profile without plugins: every node fits every pod.
    pub fn empty(scheduler_name: impl Into<String>) -> Self {
        Self {
            scheduler_name: scheduler_name.into(),
            percentage_of_nodes_to_score: None,
            points: Points::default(),
            plugins: Vec::new(),
        }
    }

    /// The built-in plugins under another name.
    pub fn named(scheduler_name: impl Into<String>) -> Self {
        Self {
            scheduler_name: scheduler_name.into(),
            ..Self::default()
        }
    }

    /// Adds a plugin, last in order, with weight 1; replaces one of the same name.
    pub fn with(self, plugin: impl Plugin) -> Self {
        self.with_weight(plugin, 1)
    }

    /// Adds a plugin whose scores count this many times.
    pub fn with_weight(self, plugin: impl Plugin, weight: i64) -> Self {
        let plugin = Arc::new(plugin);
        let mut profile = self.without(plugin.name());
        let points = profile.points.begin(plugin.name(), weight);
        plugin.clone().register(points);
        profile.plugins.push(plugin);
        profile
    }

    /// Takes a plugin out.
    pub fn without(mut self, name: &str) -> Self {
        self.points.remove(name);
        self.plugins.retain(|plugin| plugin.name() != name);
        self
    }

    /// The plugins' names, in order.
    pub fn plugins(&self) -> impl Iterator<Item = &'static str> {
        self.plugins.iter().map(|plugin| plugin.name())
    }

    /// The scoring plugins and their weights, in order.
    pub fn weights(&self) -> impl Iterator<Item = (&'static str, i64)> {
        self.scores().map(|(name, weight, _)| (name, weight))
    }

    /// Whether something binds.
    pub(crate) fn has_binder(&self) -> bool {
        !self.points.bind.is_empty()
    }

    pub(crate) fn scores(&self) -> impl Iterator<Item = (&'static str, i64, &dyn ScorePlugin)> {
        let served = self.points.score.iter();
        served.map(|served| (served.name, served.weight, &*served.plugin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_replaces_reweighs_and_drops_plugins_by_name() {
        let profile = Profile::default()
            .without(image_locality::NAME)
            .with_weight(NodeResourcesFit, 5);
        let weights: Vec<_> = profile.weights().collect();
        assert_eq!(
            weights,
            [
                (taint_toleration::NAME, 3),
                (node_affinity::NAME, 2),
                (node_resources_balanced_allocation::NAME, 1),
                (node_resources_fit::NAME, 5),
            ]
        );
    }
}
