//! What to do to which pod.
//!
//! First every pod that there shall be is brought about, lowest ordinal first; then what is too many goes, highest first;
//! then pods of an old revision are replaced, highest first. In order, each waits until the one before it is available;
//! in parallel, nobody waits but for the last step.

use std::sync::Arc;

use k8s_apimachinery::pod::readiness;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};

use super::{claims, identity, revision, view::View};
use crate::amount::scaled;

/// Something to do.
#[derive(Debug)]
pub(super) enum Step {
    /// Make the pod, after its claims.
    Create(Box<Pod>, Vec<PersistentVolumeClaim>),
    /// Delete the pod.
    Delete(Arc<Pod>),
    /// Give the pod the labels and volumes that it lacks.
    Update(Box<Pod>),
    /// Make a pod's claims that are missing.
    Claim(Arc<Pod>, Vec<PersistentVolumeClaim>),
    /// Change who owns these claims.
    Own(Vec<PersistentVolumeClaim>),
}

/// What to do now, in order.
pub(super) fn plan(view: &View) -> Vec<Step> {
    let mut steps = Vec::new();
    if view.set.metadata.deletion_timestamp.is_some() {
        return steps;
    }
    for ordinal in view.ordinals() {
        if bring_about(view, ordinal, &mut steps) == Flow::Wait && view.is_ordered() {
            return steps;
        }
    }
    for (ordinal, pod) in view.condemned() {
        own(view, pod, ordinal, &mut steps);
    }
    if condemn(view, &mut steps) == Flow::Wait {
        return steps;
    }
    replace(view, &mut steps);
    steps
}

/// Whether the next may be looked at.
#[derive(PartialEq)]
enum Flow {
    On,
    Wait,
}

fn bring_about(view: &View, ordinal: i32, steps: &mut Vec<Step>) -> Flow {
    let Some(pod) = view.pod(ordinal) else {
        if !claims::is_stale(view, ordinal) {
            let pod = new_pod(view, ordinal);
            let claims = claims::missing(view, &pod, ordinal);
            steps.push(Step::Create(Box::new(pod), claims));
        }
        return Flow::Wait;
    };
    let is_going = pod.metadata.deletion_timestamp.is_some();
    // However it ended: its place is to be filled again.
    if readiness::is_terminal(pod) {
        if !is_going {
            steps.push(Step::Delete(pod.clone()));
        }
        return Flow::Wait;
    }
    if readiness::phase(pod) == "Pending" && !is_going {
        let missing = claims::missing(view, pod, ordinal);
        if !missing.is_empty() {
            steps.push(Step::Claim(pod.clone(), missing));
        }
    }
    if view.is_ordered() && !view.is_available(pod) {
        return Flow::Wait;
    }
    if !identity::has_identity(&view.set, pod, ordinal) {
        let whole = identity::with_identity(&view.set, pod, ordinal);
        steps.push(Step::Update(Box::new(whole)));
    }
    own(view, pod, ordinal, steps);
    Flow::On
}

fn own(view: &View, pod: &Pod, ordinal: i32, steps: &mut Vec<Step>) {
    let misowned = claims::misowned(view, pod, ordinal);
    if !misowned.is_empty() {
        steps.push(Step::Own(misowned));
    }
}

/// A pod that is missing is made from the update revision, unless the rollout leaves its ordinal out.
fn new_pod(view: &View, ordinal: i32) -> Pod {
    let rollout = view.set.spec.update_strategy.as_ref();
    let is_rolling = rollout.is_none_or(|it| it.type_.as_deref() != Some("OnDelete"));
    let left_out = view.ordinals().start.saturating_add(partition(view));
    let revision = match is_rolling && ordinal < left_out {
        true => &view.history.current,
        false => &view.history.update,
    };
    let template = revision::template(revision);
    let template = template.unwrap_or_else(|| view.set.spec.template.clone());
    identity::pod(&view.set, &template, revision::name(revision), ordinal)
}

fn partition(view: &View) -> i32 {
    let rollout = view.set.spec.update_strategy.as_ref();
    let rolling = rollout.and_then(|rollout| rollout.rolling_update.as_ref());
    rolling.and_then(|rolling| rolling.partition).unwrap_or(0)
}

/// In order, one goes at a time, and only while all others are available.
fn condemn(view: &View, steps: &mut Vec<Step>) -> Flow {
    let mut unavailable = view.condemned().filter(|(_, pod)| !view.is_available(pod));
    let first_unavailable = unavailable.next().map(|(ordinal, _)| ordinal);
    let mut flow = Flow::On;
    for (ordinal, pod) in view.condemned().rev() {
        flow = Flow::Wait;
        let is_going = pod.metadata.deletion_timestamp.is_some();
        let may_go = view.is_available(pod) || first_unavailable == Some(ordinal);
        if !is_going && (may_go || !view.is_ordered()) {
            steps.push(Step::Delete(pod.clone()));
        }
        if view.is_ordered() {
            return Flow::Wait;
        }
    }
    match view.is_ordered() {
        true => flow,
        false => Flow::On,
    }
}

/// Deletes pods of old revisions, as many as may be unavailable; those that are so already cost nothing.
fn replace(view: &View, steps: &mut Vec<Step>) {
    let rollout = view.set.spec.update_strategy.as_ref();
    if rollout.is_some_and(|rollout| rollout.type_.as_deref() == Some("OnDelete")) {
        return;
    }
    let rolling = rollout.and_then(|rollout| rollout.rolling_update.as_ref());
    let limit = rolling.and_then(|rolling| rolling.max_unavailable.as_ref());
    let limit = limit.map_or(1, |limit| scaled(limit, view.replicas(), false).max(1));
    let is_available = |ordinal: i32| view.pod(ordinal).is_some_and(|pod| view.is_available(pod));
    let unavailable = view
        .ordinals()
        .filter(|ordinal| !is_available(*ordinal))
        .count();
    let unavailable = i32::try_from(unavailable).unwrap_or(i32::MAX);
    let mut left = limit.saturating_sub(unavailable);
    if left < 0 {
        return;
    }
    let update = revision::name(&view.history.update);
    let ordinals = view.ordinals();
    let from = ordinals.start.saturating_add(partition(view));
    for ordinal in (from..ordinals.end).rev() {
        let Some(pod) = view.pod(ordinal) else {
            continue;
        };
        let is_going = pod.metadata.deletion_timestamp.is_some();
        if revision::of_pod(pod) == update || is_going {
            continue;
        }
        if is_available(ordinal) {
            if left == 0 {
                return;
            }
            left -= 1;
        }
        steps.push(Step::Delete(pod.clone()));
    }
}

#[cfg(test)]
mod tests;
