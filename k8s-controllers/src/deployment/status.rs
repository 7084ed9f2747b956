//! A Deployment's status: counts, and the conditions that `kubectl rollout status` reads.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus, ReplicaSetStatus},
    apimachinery::pkg::apis::meta::v1::Time,
};

use super::{size::Goal, view::View};

const AVAILABLE: &str = "Available";
const PROGRESSING: &str = "Progressing";
const REPLICA_FAILURE: &str = "ReplicaFailure";

const SET_AVAILABLE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";
const PAUSED: &str = "DeploymentPaused";

/// Something that the conditions shall tell beside what the counts say.
pub(super) enum News<'a> {
    /// A rollout is under way or done: judge its progress.
    Rollout,
    /// Sizes changed or nothing moves: progress isn't judged.
    Steady,
    /// The set for the current template is being created.
    Created(&'a str),
    /// Creating it failed.
    CreateFailed(&'a str),
}

/// The status that the view amounts to.
pub(super) fn status(view: &View, goal: &Goal, news: News<'_>, now: Timestamp) -> DeploymentStatus {
    let deployment = &view.deployment;
    let before = deployment.status.clone().unwrap_or_default();
    let mut after = counts(view, &before);
    after.conditions = before.conditions.clone();
    let mut conditions = Conditions {
        list: after.conditions.take().unwrap_or_default(),
        now,
    };
    let available = after.available_replicas.unwrap_or(0);
    if available >= goal.min_available() {
        let message = "Deployment has minimum availability.";
        conditions.set(AVAILABLE, "True", "MinimumReplicasAvailable", message);
    } else {
        let message = "Deployment does not have minimum availability.";
        conditions.set(AVAILABLE, "False", "MinimumReplicasUnavailable", message);
    }
    if has_deadline(deployment) {
        pause(deployment, &mut conditions);
        progress(view, &before, &after, &news, &mut conditions);
    } else {
        conditions.remove(PROGRESSING);
    }
    if matches!(news, News::Rollout) {
        match replica_failure(view) {
            Some(failure) => conditions.put(failure),
            None => conditions.remove(REPLICA_FAILURE),
        }
    }
    after.conditions = Some(conditions.list);
    after
}

/// When a rollout that stands still will have missed its deadline; `None` when it can't.
pub(super) fn deadline_in(
    deployment: &Deployment,
    status: &DeploymentStatus,
    now: Timestamp,
) -> Option<Duration> {
    let seconds = deadline_seconds(deployment)?;
    let condition = condition(status, PROGRESSING)?;
    let is_over = is_complete(deployment, status)
        || matches!(
            condition.reason.as_deref(),
            Some(TIMED_OUT | SET_AVAILABLE | PAUSED)
        );
    if is_over {
        return None;
    }
    let since = condition.last_update_time.as_ref()?.0;
    let left = i64::from(seconds) - now.duration_since(since).as_secs();
    // A second more, since times are written to the second.
    Some(Duration::from_secs(left.max(0).unsigned_abs() + 1))
}

/// Whether all pods are of the current template and available, and none is left over.
pub(super) fn is_complete(deployment: &Deployment, status: &DeploymentStatus) -> bool {
    let wanted = Goal::of(deployment).replicas;
    let all = [
        status.updated_replicas,
        status.replicas,
        status.available_replicas,
    ];
    all.iter().all(|count| count.unwrap_or(0) == wanted)
        && status.observed_generation >= deployment.metadata.generation
}

fn counts(view: &View, before: &DeploymentStatus) -> DeploymentStatus {
    let sum = |count: fn(&ReplicaSetStatus) -> Option<i32>| -> i32 {
        let statuses = view.all().filter_map(|set| set.status.as_ref());
        statuses.filter_map(count).sum()
    };
    let total: i32 = view.all().filter_map(|set| set.spec.replicas).sum();
    let available = sum(|status| status.available_replicas);
    let updated = view.new.as_ref().and_then(|set| set.status.as_ref());
    let is_terminating_known = view.all().all(|set| {
        let status = set.status.as_ref();
        status.is_some_and(|status| status.terminating_replicas.is_some())
    });
    DeploymentStatus {
        observed_generation: view.deployment.metadata.generation,
        replicas: nonzero(sum(|status| Some(status.replicas))),
        updated_replicas: nonzero(updated.map_or(0, |status| status.replicas)),
        ready_replicas: nonzero(sum(|status| status.ready_replicas)),
        available_replicas: nonzero(available),
        unavailable_replicas: nonzero(total - available),
        terminating_replicas: is_terminating_known
            .then(|| sum(|status| status.terminating_replicas)),
        collision_count: before.collision_count,
        conditions: None,
    }
}

/// The API omits counts of nothing.
fn nonzero(count: i32) -> Option<i32> {
    (count > 0).then_some(count)
}

/// Pausing stops the clock, resuming starts it anew; a deadline that was missed stays missed.
fn pause(deployment: &Deployment, conditions: &mut Conditions) {
    let reason = conditions.reason(PROGRESSING);
    let was_paused = reason == Some(PAUSED);
    if reason == Some(TIMED_OUT) || is_paused(deployment) == was_paused {
        return;
    }
    if was_paused {
        let message = "Deployment is resumed";
        conditions.set(PROGRESSING, "Unknown", "DeploymentResumed", message);
    } else {
        conditions.set(PROGRESSING, "Unknown", PAUSED, "Deployment is paused");
    }
}

fn progress(
    view: &View,
    before: &DeploymentStatus,
    after: &DeploymentStatus,
    news: &News<'_>,
    conditions: &mut Conditions,
) {
    match news {
        News::Steady => return,
        News::Created(name) => {
            let message = format!("Created new replica set {name:?}");
            return conditions.set(PROGRESSING, "True", "NewReplicaSetCreated", &message);
        }
        News::CreateFailed(error) => {
            return conditions.set(PROGRESSING, "False", "ReplicaSetCreateError", error);
        }
        News::Rollout => {}
    }
    let what = match &view.new {
        Some(set) => format!("ReplicaSet {:?}", name(&set.metadata)),
        None => format!("Deployment {:?}", name(&view.deployment.metadata)),
    };
    if conditions.reason(PROGRESSING).is_none()
        && let Some(set) = &view.new
    {
        let message = format!("Found new replica set {:?}", name(&set.metadata));
        conditions.set(PROGRESSING, "True", "FoundNewReplicaSet", &message);
    }
    // A rollout that was complete once is not judged again: pods that fail later are a matter of
    // availability.
    let is_all_new = after.replicas == after.updated_replicas;
    if is_all_new && conditions.reason(PROGRESSING) == Some(SET_AVAILABLE) {
        return;
    }
    if is_complete(&view.deployment, after) {
        let message = format!("{what} has successfully progressed.");
        conditions.set(PROGRESSING, "True", SET_AVAILABLE, &message);
    } else if has_moved(before, after) {
        let message = format!("{what} is progressing.");
        conditions.renew(PROGRESSING, "True", "ReplicaSetUpdated", &message);
    } else if is_timed_out(&view.deployment, conditions) {
        let message = format!("{what} has timed out progressing.");
        conditions.set(PROGRESSING, "False", TIMED_OUT, &message);
    }
}

/// More new pods, fewer old ones, or more of them ready or available.
fn has_moved(before: &DeploymentStatus, after: &DeploymentStatus) -> bool {
    let count = |count: Option<i32>| count.unwrap_or(0);
    let old = |status: &DeploymentStatus| count(status.replicas) - count(status.updated_replicas);
    count(after.updated_replicas) > count(before.updated_replicas)
        || old(after) < old(before)
        || count(after.ready_replicas) > count(before.ready_replicas)
        || count(after.available_replicas) > count(before.available_replicas)
}

fn is_timed_out(deployment: &Deployment, conditions: &Conditions) -> bool {
    let Some(condition) = conditions.get(PROGRESSING) else {
        return false;
    };
    match condition.reason.as_deref() {
        Some(SET_AVAILABLE) => return false,
        Some(TIMED_OUT) => return true,
        _ => {}
    }
    let (Some(since), Some(deadline)) = (&condition.last_update_time, deadline_seconds(deployment))
    else {
        return false;
    };
    conditions.now.duration_since(since.0).as_secs() > i64::from(deadline)
}

/// The failure that a set reports, the new one's first.
fn replica_failure(view: &View) -> Option<DeploymentCondition> {
    let sets = view.new.iter().chain(&view.old);
    let conditions = sets.flat_map(|set| {
        let status = set.status.iter();
        status.flat_map(|status| status.conditions.iter().flatten())
    });
    let mut failures =
        conditions.filter(|condition| condition.type_.as_deref() == Some(REPLICA_FAILURE));
    failures.next().map(|failure| DeploymentCondition {
        type_: failure.type_.clone(),
        status: failure.status.clone(),
        reason: failure.reason.clone(),
        message: failure.message.clone(),
        last_transition_time: failure.last_transition_time.clone(),
        last_update_time: failure.last_transition_time.clone(),
    })
}

/// A deadline of the largest number means none.
fn deadline_seconds(deployment: &Deployment) -> Option<i32> {
    let deadline = deployment.spec.progress_deadline_seconds;
    deadline.filter(|seconds| *seconds != i32::MAX)
}

fn has_deadline(deployment: &Deployment) -> bool {
    deadline_seconds(deployment).is_some()
}

/// Whether its rollouts are on hold.
pub(super) fn is_paused(deployment: &Deployment) -> bool {
    deployment.spec.paused.unwrap_or(false)
}

fn name(meta: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta) -> &str {
    meta.name.as_deref().unwrap_or_default()
}

fn condition<'a>(status: &'a DeploymentStatus, kind: &str) -> Option<&'a DeploymentCondition> {
    let mut conditions = status.conditions.iter().flatten();
    conditions.find(|condition| condition.type_.as_deref() == Some(kind))
}

struct Conditions {
    list: Vec<DeploymentCondition>,
    now: Timestamp,
}

impl Conditions {
    fn get(&self, kind: &str) -> Option<&DeploymentCondition> {
        let mut list = self.list.iter();
        list.find(|condition| condition.type_.as_deref() == Some(kind))
    }

    fn reason(&self, kind: &str) -> Option<&str> {
        self.get(kind)?.reason.as_deref()
    }

    fn remove(&mut self, kind: &str) {
        self.list
            .retain(|condition| condition.type_.as_deref() != Some(kind));
    }

    /// Sets a condition; one with the same status and reason stays as it is.
    fn set(&mut self, kind: &str, status: &str, reason: &str, message: &str) {
        let is_same = |known: &DeploymentCondition| {
            known.status.as_deref() == Some(status) && known.reason.as_deref() == Some(reason)
        };
        if !self.get(kind).is_some_and(is_same) {
            self.renew(kind, status, reason, message);
        }
    }

    /// Sets a condition and the time of its last update, even if nothing else about it changes.
    fn renew(&mut self, kind: &str, status: &str, reason: &str, message: &str) {
        let now = Some(Time(self.now));
        let known = self
            .get(kind)
            .filter(|known| known.status.as_deref() == Some(status));
        let transition = known.and_then(|known| known.last_transition_time.clone());
        self.put(DeploymentCondition {
            type_: Some(kind.into()),
            status: Some(status.into()),
            reason: Some(reason.into()),
            message: Some(message.into()),
            last_transition_time: transition.or(now.clone()),
            last_update_time: now,
        });
    }

    fn put(&mut self, condition: DeploymentCondition) {
        self.remove(condition.type_.as_deref().unwrap_or_default());
        self.list.push(condition);
    }
}
