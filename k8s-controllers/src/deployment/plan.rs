//! What to do about a Deployment: from a view and the time to a list of writes.
//!
//! Level-based: it compares what is with what is wanted and ignores what woke it. Each round does
//! one step of a rollout; the changes that it makes bring the next round.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus, ReplicaSet};

use super::{
    proportion, recreate,
    revision::{self, REVISION},
    rolling,
    size::{Goal, Size, Sizes},
    status::{self, News},
    template,
    view::View,
};

/// Writes in order, and when to look again though nothing happens.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) writes: Vec<Write>,
    pub(super) again: Option<Duration>,
}

/// One change to make.
#[derive(Debug)]
pub(super) enum Write {
    /// Create the set of the current template.
    Create(ReplicaSet),
    /// Change a set: its size, or what it notes of the Deployment.
    Update {
        set: ReplicaSet,
        /// The size before.
        from: i32,
        /// The size that `set` has now.
        to: i32,
    },
    /// Delete a set that the history needn't keep.
    Delete(Arc<ReplicaSet>),
    /// Give the Deployment the revision of its newest set.
    SetRevision(Deployment),
    /// Replace the Deployment's status.
    SetStatus(DeploymentStatus),
}

/// What to do now.
pub(super) fn plan(view: &View, now: Timestamp) -> Plan {
    let goal = Goal::of(&view.deployment);
    if view.deployment.metadata.deletion_timestamp.is_some() {
        return Plan::default().with_status(view, &goal, News::Steady, now);
    }
    let mut plan = Plan::default();
    if status::is_paused(&view.deployment) || is_scaling(view, &goal) {
        let sizes = scaled(view, &goal);
        plan.change_sets(view, &goal, sizes.as_ref());
        if status::is_paused(&view.deployment) {
            plan.clean_up(view);
        }
        return plan.with_status(view, &goal, News::Steady, now);
    }
    if view.new.is_none() {
        if let Some(sizes) = recreate::before_new_set(view, &goal) {
            plan.change_sets(view, &goal, Some(&sizes));
            return plan.with_status(view, &goal, News::Rollout, now);
        }
        return plan.create_set(view, &goal, now);
    }
    let sizes = next_sizes(view, &goal);
    let is_moving = sizes != current(view);
    plan.change_sets(view, &goal, Some(&sizes));
    let is_done = view.deployment.status.as_ref();
    if !is_moving && is_done.is_some_and(|done| status::is_complete(&view.deployment, done)) {
        plan.clean_up(view);
    }
    plan.with_status(view, &goal, News::Rollout, now)
}

impl Plan {
    fn with_status(mut self, view: &View, goal: &Goal, news: News<'_>, now: Timestamp) -> Self {
        let status = status::status(view, goal, news, now);
        self.again = status::deadline_in(&view.deployment, &status, now);
        if view.deployment.status.as_ref() != Some(&status) {
            self.writes.push(Write::SetStatus(status));
        }
        self
    }

    fn create_set(mut self, view: &View, goal: &Goal, now: Timestamp) -> Self {
        let revision = revision::next(&view.old);
        let set = template::new_set(&view.deployment, goal, &view.old_sizes(), revision);
        let Some(set) = set else { return self };
        let name = set.metadata.name.clone().unwrap_or_default();
        self.writes.push(Write::Create(set));
        self.set_revision(view, revision);
        self.with_status(view, goal, News::Created(&name), now)
    }

    /// Brings sizes and annotations of all sets to what they shall be.
    fn change_sets(&mut self, view: &View, goal: &Goal, sizes: Option<&Sizes>) {
        if let Some(set) = &view.new {
            let revision = revision::next(&view.old);
            let revision = self.change_new(view, goal, set, sizes.map(|sizes| sizes.new), revision);
            self.set_revision(view, revision);
        }
        let olds = sizes.map(|sizes| sizes.old.as_slice()).unwrap_or_default();
        for (set, size) in view.old.iter().zip(olds) {
            if *size != Size::of(set).replicas {
                let mut set = ReplicaSet::clone(set);
                let annotations = set.metadata.annotations.get_or_insert_default();
                revision::note_size(annotations, goal);
                self.update(set, *size);
            }
        }
    }

    /// The new set also follows the Deployment's annotations and `minReadySeconds`. Returns its
    /// revision.
    fn change_new(
        &mut self,
        view: &View,
        goal: &Goal,
        set: &ReplicaSet,
        size: Option<i32>,
        revision: i64,
    ) -> i64 {
        let mut wanted = set.clone();
        let current = set.metadata.annotations.clone().unwrap_or_default();
        let mut annotations = revision::annotations(&view.deployment, &current, revision);
        if size.is_some() {
            revision::note_size(&mut annotations, goal);
        }
        wanted.metadata.annotations = Some(annotations);
        wanted.spec.min_ready_seconds = view.deployment.spec.min_ready_seconds;
        let size = size.unwrap_or_else(|| Size::of(set).replicas);
        let revision = revision::of(&wanted);
        if wanted != *set || size != Size::of(set).replicas {
            self.update(wanted, size);
        }
        revision
    }

    fn update(&mut self, mut set: ReplicaSet, to: i32) {
        let from = Size::of(&set).replicas;
        set.spec.replicas = Some(to);
        self.writes.push(Write::Update { set, from, to });
    }

    fn set_revision(&mut self, view: &View, revision: i64) {
        let known = view.deployment.metadata.annotations.as_ref();
        let known = known.and_then(|annotations| annotations.get(REVISION));
        let wanted = revision.to_string();
        if known == Some(&wanted) {
            return;
        }
        let mut deployment = Deployment::clone(&view.deployment);
        let annotations = deployment.metadata.annotations.get_or_insert_default();
        annotations.insert(REVISION.into(), wanted);
        self.writes.push(Write::SetRevision(deployment));
    }

    fn clean_up(&mut self, view: &View) {
        let limit = view.deployment.spec.revision_history_limit;
        // The largest number means that everything is kept.
        if let Some(limit) = limit.filter(|limit| *limit != i32::MAX) {
            let expired = revision::expired(&view.old, limit);
            self.writes.extend(expired.into_iter().map(Write::Delete));
        }
    }
}

fn current(view: &View) -> Sizes {
    Sizes {
        new: view.new.as_ref().map_or(0, |set| Size::of(set).replicas),
        old: view.old_sizes().iter().map(|size| size.replicas).collect(),
    }
}

fn next_sizes(view: &View, goal: &Goal) -> Sizes {
    let new = view
        .new
        .as_ref()
        .map(|set| Size::of(set))
        .unwrap_or_default();
    if goal.is_recreate {
        recreate::step(goal, new, &view.old_sizes(), view.has_old_pods)
    } else {
        rolling::step(goal, new, &view.old_sizes())
    }
}

/// Whether an active set was last sized for another number of replicas: then this is a scaling.
fn is_scaling(view: &View, goal: &Goal) -> bool {
    let sizes = view.all().map(|set| Size::of(set));
    let mut active = sizes.filter(|size| size.replicas > 0);
    active.any(|size| size.desired.is_some_and(|desired| desired != goal.replicas))
}

/// Sizes after a scaling: one active set takes it all; a finished rollout leaves no old pods; in
/// the middle of one, each set takes its part. `None` when there is nothing to scale.
fn scaled(view: &View, goal: &Goal) -> Option<Sizes> {
    let mut sizes = current(view);
    let new = view.new.as_ref().map(|set| Size::of(set));
    let old = view.old_sizes();
    let active: Vec<usize> = (0..old.len()).filter(|i| old[*i].replicas > 0).collect();
    let is_new_active = new.is_some_and(|new| new.replicas > 0);
    match (is_new_active, active.as_slice()) {
        (true, []) => sizes.new = goal.replicas,
        (false, [only]) => sizes.old[*only] = goal.replicas,
        (false, []) if new.is_some() => sizes.new = goal.replicas,
        (false, []) => *sizes.old.last_mut()? = goal.replicas,
        _ if new.is_some_and(|new| is_saturated(goal, &new)) => sizes.old.fill(0),
        _ if goal.is_recreate => {}
        _ => in_proportion(view, goal, &mut sizes),
    }
    Some(sizes)
}

/// The new set has all that the Deployment wants, and it is available.
fn is_saturated(goal: &Goal, new: &Size) -> bool {
    new.replicas == goal.replicas
        && new.desired == Some(goal.replicas)
        && new.available == goal.replicas
}

fn in_proportion(view: &View, goal: &Goal, sizes: &mut Sizes) {
    // (size, age rank; the new set is the youngest, whatever its date)
    let mut active: Vec<(Size, usize)> = view
        .all()
        .map(|set| Size::of(set))
        .zip(0..)
        .filter(|(size, _)| size.replicas > 0)
        .collect();
    let total: i32 = active.iter().map(|(size, _)| size.replicas).sum();
    let is_growing = goal.max() > total;
    active.sort_by_key(|(size, age)| {
        let age = i64::try_from(*age).unwrap_or(i64::MAX);
        (-size.replicas, if is_growing { -age } else { age })
    });
    let reported = view.deployment.status.as_ref();
    let reported = reported.and_then(|status| status.replicas).unwrap_or(0);
    let only_sizes: Vec<Size> = active.iter().map(|(size, _)| *size).collect();
    let wanted = proportion::scale(goal, &only_sizes, reported);
    for ((_, rank), size) in active.iter().zip(wanted) {
        match sizes.old.get_mut(*rank) {
            Some(old) => *old = size,
            None => sizes.new = size,
        }
    }
}

#[cfg(test)]
#[path = "plan/tests.rs"]
mod tests;
