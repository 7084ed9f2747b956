//! Telling the world how it went: events, and the pod's `PodScheduled` condition.

use std::sync::Arc;

use k8s_apimachinery::pod::readiness;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use k8s_runtime::{Context, EventRecorder, reference};
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use serde_json::{Value, json};

use crate::{cache::PodInfo, cycle::Rejections};

/// The reason of a condition when no node would do.
pub(crate) const UNSCHEDULABLE: &str = "Unschedulable";
/// The reason of a condition when something failed.
pub(crate) const SCHEDULER_ERROR: &str = "SchedulerError";

/// Writes what users see.
#[derive(Clone)]
pub(crate) struct Reporter {
    client: Client,
    events: EventRecorder,
    ctx: Context,
}

impl Reporter {
    pub(crate) fn new(ctx: &Context, component: &str) -> Self {
        Self {
            client: ctx.client.clone(),
            events: EventRecorder::new(ctx, component),
            ctx: ctx.clone(),
        }
    }

    /// The pod has its node.
    pub(crate) fn scheduled(&self, pod: &PodInfo, node: &str) {
        let message = format!("Successfully assigned {} to {node}", pod.key);
        self.events
            .normal(reference(&*pod.pod), "Scheduled", message);
    }

    /// The pod has none. The event goes out at once; the future writes the condition.
    pub(crate) fn failed(
        &self,
        pod: &Arc<PodInfo>,
        reason: &'static str,
        message: String,
    ) -> impl Future<Output = ()> + Send + use<> {
        self.events
            .warning(reference(&*pod.pod), "FailedScheduling", message.clone());
        let change = condition(&pod.pod, reason, &message, self.ctx.clock.now());
        let (reporter, pod) = (self.clone(), pod.clone());
        async move {
            if let Some(change) = change {
                reporter.patch_status(&pod, change).await;
            }
        }
    }

    /// Evicts what PostFilter proposed, and notes where the pod hopes to go.
    pub(crate) async fn make_room(self, pod: Arc<PodInfo>, rejections: Box<Rejections>) {
        for victim in &rejections.victims {
            let message = format!("Preempted by pod {}", pod.uid());
            self.events
                .normal(reference(&*victim.pod), "Preempted", message);
            let this_one = DeleteParams::default().preconditions(Preconditions {
                uid: victim.pod.metadata.uid.clone(),
                resource_version: None,
            });
            if let Err(error) = self.pods(victim).delete(&victim.key.name, &this_one).await {
                tracing::warn!(pod = %victim.key, %error, "victim not evicted");
            }
        }
        if let Some(node) = &rejections.nominated {
            let status = json!({"nominatedNodeName": node});
            self.patch_status(&pod, status).await;
        }
    }

    async fn patch_status(&self, pod: &PodInfo, status: Value) {
        // Not the pod of the same name that came after it.
        let patch = json!({"metadata": {"uid": pod.uid()}, "status": status});
        let patched = self
            .pods(pod)
            .patch_status(
                &pod.key.name,
                &PatchParams::default(),
                &Patch::Strategic(patch),
            )
            .await;
        match patched {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {}
            Err(error) => tracing::warn!(pod = %pod.key, %error, "status not written"),
        }
    }

    fn pods(&self, pod: &PodInfo) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &pod.key.namespace)
    }
}

/// The change of status that says `PodScheduled=False`; none if it says so already.
fn condition(pod: &Pod, reason: &str, message: &str, now: Timestamp) -> Option<Value> {
    let old = readiness::condition(pod, "PodScheduled");
    let is_same = |old: &&_| {
        let old: &k8s_openapi::api::core::v1::PodCondition = old;
        old.status == "False"
            && old.reason.as_deref() == Some(reason)
            && old.message.as_deref() == Some(message)
    };
    if old.as_ref().is_some_and(is_same) {
        return None;
    }
    let since = old.filter(|old| old.status == "False");
    let since = since
        .and_then(|old| old.last_transition_time.clone())
        .unwrap_or(Time(now));
    Some(json!({"conditions": [{
        "type": "PodScheduled",
        "status": "False",
        "reason": reason,
        "message": message,
        "lastProbeTime": null,
        "lastTransitionTime": since,
    }]}))
}
