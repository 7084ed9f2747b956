//! What to do about a ReplicaSet: how many pods to create, or which to delete.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_apimachinery::pod::readiness;
use k8s_openapi::api::core::v1::Pod;

use super::{rank, view::View};

/// No round creates or deletes more than this.
const BURST: usize = 500;

/// What a round does to the pods.
#[derive(Debug)]
pub(super) enum Step {
    /// There are as many as there should be, or it isn't time to act.
    Nothing,
    /// Create this many.
    Create(usize),
    /// Delete these.
    Delete(Vec<Arc<Pod>>),
}

/// What to do now.
pub(super) fn plan(view: &View, now: Timestamp) -> Step {
    if !view.is_settled || view.set.metadata.deletion_timestamp.is_some() {
        return Step::Nothing;
    }
    let mut active: Vec<_> = view.active().cloned().collect();
    let wanted = view.wanted();
    if active.len() < wanted {
        return Step::Create((wanted - active.len()).min(BURST));
    }
    let surplus = (active.len() - wanted).min(BURST);
    if surplus == 0 {
        return Step::Nothing;
    }
    active.sort_by_cached_key(|pod| rank::rank(pod, &view.crowding, now));
    active.truncate(surplus);
    Step::Delete(active)
}

/// When a pod that is ready now will count as available, if any is waiting for that.
pub(super) fn again(view: &View, now: Timestamp) -> Option<Duration> {
    let min_ready = view.min_ready_seconds();
    let waits = view
        .active()
        .filter_map(|pod| readiness::available_in(pod, min_ready, now));
    let soonest = waits.filter(|wait| !wait.is_zero()).min()?;
    Some(soonest.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::ReplicaSet;
    use serde_json::json;

    use super::*;

    fn view(wanted: i32, phases: &[&str]) -> View {
        let set: ReplicaSet = serde_json::from_value(json!({
            "metadata": {"name": "web", "uid": "u"},
            "spec": {"replicas": wanted, "selector": {}},
        }))
        .expect("a ReplicaSet");
        let pods = phases.iter().enumerate().map(|(i, phase)| {
            let mut pod = json!({
                "metadata": {"name": format!("p{i}"), "uid": format!("p{i}")},
                "spec": {"containers": [], "nodeName": "n"},
                "status": {"phase": phase.trim_start_matches('-')},
            });
            if phase.starts_with('-') {
                pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
            }
            Arc::new(serde_json::from_value(pod).expect("a pod"))
        });
        View::new(Arc::new(set), pods.collect(), true)
    }

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    /// `+2` creates two, `-p0 p1` deletes those, `=` does nothing.
    #[track_caller]
    fn check(view: &View, expected: &str) {
        let shown = match plan(view, now()) {
            Step::Nothing => "=".to_owned(),
            Step::Create(count) => format!("+{count}"),
            Step::Delete(pods) => {
                let names: Vec<_> = pods
                    .iter()
                    .map(|pod| pod.metadata.name.as_deref().unwrap())
                    .collect();
                format!("-{}", names.join(" "))
            }
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn missing_pods_are_created_and_surplus_ones_deleted() {
        check(&view(3, &[]), "+3");
        check(&view(3, &["Running", "Running", "Running"]), "=");
        check(&view(1, &["Running", "Pending", "Running"]), "-p1 p0");
        check(&view(0, &["Running"]), "-p0");
        check(&view(1000, &[]), "+500");
    }

    #[test]
    fn ended_and_terminating_pods_don_t_count() {
        check(&view(2, &["Failed", "Running", "-Running"]), "+1");
        check(&view(1, &["Succeeded", "Running"]), "=");
    }

    #[test]
    fn nothing_is_done_before_the_cache_shows_what_was_done() {
        let mut view = view(3, &[]);
        view.is_settled = false;
        check(&view, "=");
    }

    #[test]
    fn a_set_that_is_being_deleted_makes_no_pods() {
        let mut view = view(3, &[]);
        let mut set = ReplicaSet::clone(&view.set);
        set.metadata.deletion_timestamp =
            serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        view.set = Arc::new(set);
        check(&view, "=");
    }
}
