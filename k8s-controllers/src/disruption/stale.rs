//! Pods that were marked as about to be disrupted, and then weren't: the mark is taken back.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use k8s_apimachinery::pod::readiness;
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Time};
use k8s_runtime::{Action, Context, Controller, Key};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;

/// Rounds that may run side by side.
const WORKERS: usize = 2;
const TARGET: &str = "DisruptionTarget";
/// How long a mark may stand on a pod that isn't going.
const TIMEOUT: SignedDuration = SignedDuration::from_mins(2);

/// Runs until the context is cancelled.
pub(super) async fn run(ctx: Context) {
    let pods = ctx.hub.informer::<Pod>();
    let store = pods.store();
    let cleaner = Arc::new(ctx.clone());
    Controller::new("stale-disruption", ctx)
        .on(&pods, |event| {
            let pod = event.object();
            let is_marked = !matches!(event, k8s_runtime::Event::Deleted(_)) && mark(pod).is_some();
            is_marked.then(|| Key::of(&**pod)).into_iter().collect()
        })
        .run(WORKERS, move |key| {
            let (ctx, pod) = (cleaner.clone(), store.get(&key));
            async move {
                match pod {
                    Some(pod) => clean(&ctx, &pod).await,
                    None => Ok(Action::Done),
                }
            }
        })
        .await;
}

async fn clean(ctx: &Context, pod: &Pod) -> Result<Action, kube::Error> {
    let now = ctx.clock.now();
    match wait(pod, now) {
        None => Ok(Action::Done),
        Some(left) if !left.is_zero() => Ok(Action::After(left)),
        Some(_) => {
            let key = Key::of(pod);
            let unmarked = json!({
                "metadata": {"uid": pod.metadata.uid, "resourceVersion": pod.metadata.resource_version},
                "status": {"conditions": [{
                    "type": TARGET, "status": "False", "reason": null, "message": null,
                    "lastTransitionTime": Time(now),
                }]},
            });
            let api: Api<Pod> = Api::namespaced(ctx.client.clone(), &key.namespace);
            let params = PatchParams::default();
            match api
                .patch_status(&key.name, &params, &Patch::Strategic(unmarked))
                .await
            {
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                other => drop(other?),
            }
            Ok(Action::Done)
        }
    }
}

/// How long until the pod's mark is stale; `None` if it has none that could be.
fn wait(pod: &Pod, now: Timestamp) -> Option<Duration> {
    let age = mark(pod)?.map_or(TIMEOUT, |since| now.duration_since(since));
    Some((TIMEOUT - age).max(SignedDuration::ZERO).unsigned_abs())
}

/// Since when the pod is marked without going. What its node decided stands: ending may take long. On pods that have
/// ended it is history.
fn mark(pod: &Pod) -> Option<Option<Timestamp>> {
    if readiness::is_terminating(pod) || readiness::is_terminal(pod) {
        return None;
    }
    let target = readiness::condition(pod, TARGET)?;
    let is_mark =
        target.status == "True" && target.reason.as_deref() != Some("TerminationByKubelet");
    is_mark.then(|| target.last_transition_time.as_ref().map(|time| time.0))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[track_caller]
    fn check(change: Value, want: Option<u64>) {
        let mut pod = json!({
            "metadata": {"name": "p"},
            "spec": {"containers": []},
            "status": {"phase": "Running", "conditions": [{
                "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }]},
        });
        for (pointer, value) in change.as_object().expect("changes") {
            let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
            pod.pointer_mut(parent).expect("a parent")[field] = value.clone();
        }
        let pod: Pod = serde_json::from_value(pod).expect("a pod");
        let now = "2026-01-01T00:00:30Z".parse().expect("a time");
        assert_eq!(wait(&pod, now), want.map(Duration::from_secs));
    }

    #[test]
    fn a_mark_is_stale_after_two_minutes() {
        let since = "/status/conditions/0/lastTransitionTime";
        check(json!({}), Some(90));
        check(json!({since: "2025-12-31T23:58:31Z"}), Some(1));
        check(json!({since: "2025-12-31T23:58:30Z"}), Some(0));
        check(json!({since: "2025-12-31T00:00:00Z"}), Some(0));
    }

    #[test]
    fn some_marks_are_never_stale() {
        check(
            json!({"/metadata/deletionTimestamp": "2026-01-01T00:00:10Z"}),
            None,
        );
        check(json!({"/status/phase": "Failed"}), None);
        check(json!({"/status/conditions/0/status": "False"}), None);
        check(
            json!({"/status/conditions/0/reason": "TerminationByKubelet"}),
            None,
        );
        check(json!({"/status/conditions": []}), None);
    }
}
