//! A set's status: what its pods amount to, and which revisions they are of.

use k8s_openapi::api::{apps::v1::StatefulSetStatus, core::v1::Pod};

use super::{revision, view::View};

/// The status that the view amounts to.
pub(super) fn status(view: &View) -> StatefulSetStatus {
    let count = |is_counted: &dyn Fn(&Pod) -> bool| -> i32 {
        let counted = view.pods().filter(|pod| is_counted(pod)).count();
        i32::try_from(counted).unwrap_or(i32::MAX)
    };
    let of = |revision: &str| {
        count(&|pod| {
            let is_going = pod.metadata.deletion_timestamp.is_some();
            !is_going && revision::of_pod(pod) == revision
        })
    };
    let current = revision::name(&view.history.current);
    let update = revision::name(&view.history.update);
    let (replicas, ready) = (count(&|_| true), count(&|pod| view.is_ready(pod)));
    let available = count(&|pod| {
        view.is_ready(pod)
            && k8s_apimachinery::pod::readiness::is_available(
                pod,
                view.min_ready_seconds(),
                view.now,
            )
    });
    let updated = of(update);
    let strategy = view.set.spec.update_strategy.as_ref();
    let is_rolling = strategy.is_none_or(|it| it.type_.as_deref() != Some("OnDelete"));
    let wanted = view.replicas();
    // The rollout is complete: what was the update is what there is.
    let is_complete = is_rolling && [updated, ready, replicas].iter().all(|it| *it == wanted);
    let current = if is_complete { update } else { current };
    StatefulSetStatus {
        replicas,
        ready_replicas: nonzero(ready),
        available_replicas: Some(available),
        current_replicas: nonzero(of(current)),
        updated_replicas: nonzero(updated),
        current_revision: Some(current.to_owned()),
        update_revision: Some(update.to_owned()),
        observed_generation: view.set.metadata.generation,
        collision_count: Some(view.history.collisions),
        conditions: view
            .set
            .status
            .as_ref()
            .and_then(|status| status.conditions.clone()),
    }
}

/// The API omits counts of nothing.
fn nonzero(count: i32) -> Option<i32> {
    (count > 0).then_some(count)
}
