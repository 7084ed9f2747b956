//! From pods and scales to the status of a budget: pure.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use k8s_apimachinery::{
    api::policy::budget::{DISRUPTION_ALLOWED, SYNC_FAILED, verdict},
    int_or_string::{IntOrString, Round},
    pod::readiness,
};
use k8s_openapi::{
    api::{core::v1::Pod, policy::v1::PodDisruptionBudgetStatus},
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
};

use super::view::{Bound, View};
use crate::claim;

/// A pod whose eviction was granted and that isn't going after this long will stay.
const DELETION_TIMEOUT: SignedDuration = SignedDuration::from_mins(2);

/// What to do about a budget.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The status to write, if the one that is there says something else.
    pub(super) status: Option<PodDisruptionBudgetStatus>,
    /// When an eviction that was granted will have expired.
    pub(super) again: Option<Duration>,
    /// Pods whose evictions have expired.
    pub(super) not_deleted: Vec<Arc<Pod>>,
    /// Some pods count in no controller's scale.
    pub(super) has_unmanaged_pods: bool,
    /// Why the numbers could not be found out.
    pub(super) trouble: Option<Trouble>,
}

/// Why the numbers of a budget can't be found out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Its selector can't be read.
    Selector(String),
    /// It isn't known how many pods there should be.
    Scale(String),
}

/// How many pods there should be, and how many of them healthy.
#[derive(Debug, PartialEq, Eq)]
struct Expected {
    pods: i32,
    healthy: i32,
    has_unmanaged: bool,
}

/// What the view amounts to at `now`.
pub(super) fn plan(view: &View, now: Timestamp) -> Plan {
    if let Some(error) = &view.unreadable {
        return fail(view, Trouble::Selector(error.clone()), now);
    }
    let expected = match expected(view) {
        Ok(expected) => expected,
        Err(error) => return fail(view, Trouble::Scale(error), now),
    };
    let disrupted = Disrupted::of(view, now);
    let healthy = view.pods.iter().filter(|pod| {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        !readiness::is_terminating(pod)
            && !disrupted.pods.contains_key(name)
            && readiness::is_ready(pod)
    });
    let healthy = i32::try_from(healthy.count()).unwrap_or(i32::MAX);
    // A budget without pods must not be open when the first ones appear, before it was looked at again.
    let allowed = match expected.pods {
        1.. => (healthy - expected.healthy).max(0),
        _ => 0,
    };
    let before = view.budget.status.clone().unwrap_or_default();
    let generation = view.budget.metadata.generation;
    let (status, reason) = verdict(allowed.into());
    let condition = Condition {
        type_: DISRUPTION_ALLOWED.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: String::new(),
        observed_generation: generation,
        last_transition_time: Time(now),
    };
    let after = PodDisruptionBudgetStatus {
        current_healthy: Some(healthy),
        desired_healthy: Some(expected.healthy),
        expected_pods: Some(expected.pods),
        disruptions_allowed: Some(allowed),
        disrupted_pods: Some(disrupted.pods).filter(|pods| !pods.is_empty()),
        observed_generation: generation,
        conditions: Some(with(before.conditions.as_deref(), condition)),
    };
    Plan {
        status: changed(before, after),
        again: disrupted.again,
        not_deleted: disrupted.expired,
        has_unmanaged_pods: expected.has_unmanaged,
        trouble: None,
    }
}

/// Without numbers nothing may be disrupted.
fn fail(view: &View, trouble: Trouble, now: Timestamp) -> Plan {
    let (Trouble::Selector(message) | Trouble::Scale(message)) = &trouble;
    let before = view.budget.status.clone().unwrap_or_default();
    let condition = Condition {
        type_: DISRUPTION_ALLOWED.to_owned(),
        status: "False".to_owned(),
        reason: SYNC_FAILED.to_owned(),
        message: message.clone(),
        observed_generation: before.observed_generation,
        last_transition_time: Time(now),
    };
    let after = PodDisruptionBudgetStatus {
        disruptions_allowed: Some(0),
        conditions: Some(with(before.conditions.as_deref(), condition)),
        ..before.clone()
    };
    Plan {
        status: changed(before, after),
        trouble: Some(trouble),
        ..Plan::default()
    }
}

fn changed(
    mut before: PodDisruptionBudgetStatus,
    after: PodDisruptionBudgetStatus,
) -> Option<PodDisruptionBudgetStatus> {
    before.disrupted_pods = before.disrupted_pods.filter(|pods| !pods.is_empty());
    (before != after).then_some(after)
}

/// The conditions with this one, whose time stays while its status does.
fn with(before: Option<&[Condition]>, mut condition: Condition) -> Vec<Condition> {
    let mut conditions = before.unwrap_or_default().to_vec();
    let same = conditions
        .iter_mut()
        .find(|each| each.type_ == condition.type_);
    match same {
        Some(old) => {
            if old.status == condition.status {
                condition.last_transition_time = old.last_transition_time.clone();
            }
            *old = condition;
        }
        None => conditions.push(condition),
    }
    conditions
}

fn expected(view: &View) -> Result<Expected, String> {
    match view.bound() {
        Bound::None => Ok(Expected {
            pods: 0,
            healthy: 0,
            has_unmanaged: false,
        }),
        Bound::MinAvailable(IntOrString::Int(healthy)) => Ok(Expected {
            pods: i32::try_from(view.pods.len()).unwrap_or(i32::MAX),
            healthy,
            has_unmanaged: false,
        }),
        Bound::MinAvailable(share) => {
            let (pods, has_unmanaged) = scale(view)?;
            Ok(Expected {
                pods,
                healthy: scaled(&share, pods)?,
                has_unmanaged,
            })
        }
        Bound::MaxUnavailable(share) => {
            let (pods, has_unmanaged) = scale(view)?;
            Ok(Expected {
                pods,
                healthy: (pods - scaled(&share, pods)?).max(0),
                has_unmanaged,
            })
        }
    }
}

/// Shares are rounded up: in favour of what must stay available, and of what may go.
fn scaled(amount: &IntOrString, pods: i32) -> Result<i32, String> {
    amount
        .scaled(pods, Round::Up)
        .map_err(|error| error.to_string())
}

/// How many pods the controllers of the budget's pods want together, and whether some pods have none.
fn scale(view: &View) -> Result<(i32, bool), String> {
    let mut scales = BTreeMap::new();
    let mut has_unmanaged = false;
    for pod in &view.pods {
        let Some(owner) = claim::controller_of(&pod.metadata) else {
            has_unmanaged = true;
            continue;
        };
        let nobody = || {
            let name = pod.metadata.name.as_deref().unwrap_or_default();
            format!("found no controllers for pod {name:?}")
        };
        let found = view.owners.get(&owner.uid).ok_or_else(nobody)?;
        let scale = found.as_ref().map_err(Clone::clone)?;
        let scale = scale.as_ref().ok_or_else(nobody)?;
        scales.insert(scale.uid.as_str(), scale.replicas);
    }
    let sum = scales.into_values().fold(0, i32::saturating_add);
    Ok((sum, has_unmanaged))
}

/// Evictions that were granted and whose pods aren't going yet.
#[derive(Default)]
struct Disrupted {
    pods: BTreeMap<String, Time>,
    again: Option<Duration>,
    expired: Vec<Arc<Pod>>,
}

impl Disrupted {
    fn of(view: &View, now: Timestamp) -> Self {
        let status = view.budget.status.as_ref();
        let noted = status.and_then(|status| status.disrupted_pods.as_ref());
        let mut disrupted = Disrupted::default();
        let Some(noted) = noted else { return disrupted };
        for pod in &view.pods {
            let name = pod.metadata.name.as_deref().unwrap_or_default();
            let since = match noted.get(name) {
                Some(since) if !readiness::is_terminating(pod) => since,
                _ => continue,
            };
            let left = DELETION_TIMEOUT - now.duration_since(since.0);
            if left.is_negative() {
                disrupted.expired.push(pod.clone());
                continue;
            }
            // One moment more, so that then it has expired.
            let left = left.unsigned_abs() + Duration::from_millis(1);
            disrupted.again = Some(disrupted.again.map_or(left, |again| again.min(left)));
            disrupted.pods.insert(name.to_owned(), since.clone());
        }
        disrupted
    }
}

#[cfg(test)]
mod tests;
