//! A ReplicaSet's status: what its pods amount to.

use jiff::Timestamp;
use k8s_apimachinery::pod::readiness;
use k8s_openapi::{
    api::{
        apps::v1::{ReplicaSetCondition, ReplicaSetStatus},
        core::v1::Pod,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::core::Selector;

use super::view::View;
use crate::claim;

const REPLICA_FAILURE: &str = "ReplicaFailure";

/// Why pods couldn't be made or unmade: reason and message.
pub(super) type Failure = (&'static str, String);

/// The status that the view amounts to.
pub(super) fn status(view: &View, failure: Option<&Failure>, now: Timestamp) -> ReplicaSetStatus {
    let template = view.set.spec.template.as_ref();
    let labels = template.and_then(|template| template.metadata.as_ref()?.labels.clone());
    let labels: Selector = labels.unwrap_or_default().into_iter().collect();
    let count = |is_counted: &dyn Fn(&Pod) -> bool| -> i32 {
        let counted = view.active().filter(|pod| is_counted(pod)).count();
        i32::try_from(counted).unwrap_or(i32::MAX)
    };
    let min_ready = view.min_ready_seconds();
    let terminating = view
        .pods
        .iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_some() && !readiness::is_terminal(pod));
    let before = view.set.status.as_ref();
    ReplicaSetStatus {
        replicas: count(&|_| true),
        fully_labeled_replicas: nonzero(count(&|pod| claim::matches(&labels, &pod.metadata))),
        ready_replicas: nonzero(count(&readiness::is_ready)),
        available_replicas: nonzero(count(&|pod| readiness::is_available(pod, min_ready, now))),
        terminating_replicas: i32::try_from(terminating.count()).ok(),
        observed_generation: view.set.metadata.generation,
        conditions: conditions(
            before.and_then(|status| status.conditions.as_deref()),
            failure,
            now,
        ),
    }
}

/// The API omits counts of nothing.
fn nonzero(count: i32) -> Option<i32> {
    (count > 0).then_some(count)
}

/// A failure is a condition for as long as it lasts; one of the same reason keeps its time.
fn conditions(
    before: Option<&[ReplicaSetCondition]>,
    failure: Option<&Failure>,
    now: Timestamp,
) -> Option<Vec<ReplicaSetCondition>> {
    let is_failure =
        |condition: &ReplicaSetCondition| condition.type_.as_deref() == Some(REPLICA_FAILURE);
    let before = before.unwrap_or_default();
    let known = before.iter().find(|condition| is_failure(condition));
    let others = before.iter().filter(|condition| !is_failure(condition));
    let mut after: Vec<_> = others.cloned().collect();
    if let Some((reason, message)) = failure {
        match known.filter(|known| known.reason.as_deref() == Some(reason)) {
            Some(known) => after.push(known.clone()),
            None => after.push(ReplicaSetCondition {
                type_: Some(REPLICA_FAILURE.into()),
                status: Some("True".into()),
                reason: Some((*reason).into()),
                message: Some(message.clone()),
                last_transition_time: Some(Time(now)),
            }),
        }
    }
    (!after.is_empty()).then_some(after)
}
