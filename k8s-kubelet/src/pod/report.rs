//! Telling the API how a pod is: only when that has changed, and never over what others wrote.

use k8s_openapi::api::core::v1::{Pod, PodStatus};
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions},
};

use super::{
    status,
    sync::{names, uid},
};
use crate::source::annotation;

/// Writes one pod's status.
pub(super) struct Reporter {
    api: Api<Pod>,
    /// Whose status is written: the pod, or the API's image of a static one; nobody's before there is one.
    subject: Option<String>,
    /// What the API has, as last read or written.
    pub(super) base: PodStatus,
}

/// The API couldn't be told; try again.
#[derive(Debug)]
pub(super) struct Untold;

impl Reporter {
    pub(super) fn new(client: Client, pod: &Pod) -> Self {
        Self {
            api: Api::namespaced(client, names(pod).0),
            subject: (!annotation::is_static(pod)).then(|| uid(pod).to_owned()),
            base: pod.status.clone().unwrap_or_default(),
        }
    }

    /// Writes the status of this image of a static pod from now on.
    pub(super) fn follow(&mut self, mirror: &Pod) {
        if self.subject.as_deref() == Some(uid(mirror)) {
            return self.see(mirror);
        }
        self.subject = Some(uid(mirror).to_owned());
        self.base = mirror.status.clone().unwrap_or_default();
    }

    /// Gives the API an image of a static pod.
    pub(super) async fn create(&self, image: &Pod) -> Result<Pod, Untold> {
        let made = self.api.create(&PostParams::default(), image).await;
        made.map_err(|error| {
            tracing::warn!(pod = names(image).1, %error, "no image of a static pod");
            Untold
        })
    }

    /// Takes over what others wrote: their conditions. What the agent owns it knows best.
    pub(super) fn see(&mut self, pod: &Pod) {
        let Some(seen) = &pod.status else { return };
        self.base
            .nominated_node_name
            .clone_from(&seen.nominated_node_name);
        self.base.resize.clone_from(&seen.resize);
        let ours = status::OURS;
        let own = self
            .base
            .conditions
            .iter()
            .flatten()
            .filter(|known| ours.contains(&known.type_.as_str()));
        let foreign = seen
            .conditions
            .iter()
            .flatten()
            .filter(|seen| !ours.contains(&seen.type_.as_str()));
        let merged: Vec<_> = own.chain(foreign).cloned().collect();
        // The binding comes with a condition of ours that was written before us.
        let is_first = self.base.phase.is_none();
        self.base.conditions = if is_first {
            seen.conditions.clone()
        } else {
            Some(merged)
        };
    }

    /// Writes the status if it differs from what the API has.
    pub(super) async fn publish(&mut self, pod: &Pod, new: &PodStatus) -> Result<(), Untold> {
        let Some(subject) = &self.subject else {
            return Ok(());
        };
        let Some(patch) = status::patch(subject, &self.base, new) else {
            return Ok(());
        };
        let (_, name) = names(pod);
        let written = self
            .api
            .patch_status(name, &PatchParams::default(), &Patch::Strategic(patch))
            .await;
        match written {
            Ok(pod) => {
                self.base = pod.status.unwrap_or_default();
                Ok(())
            }
            // It is gone, or a namesake has its place: nobody to tell.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            Err(error) => {
                tracing::warn!(pod = name, %error, "status not written");
                Err(Untold)
            }
        }
    }

    /// Lets the API forget a pod that has ended.
    pub(super) async fn delete(&self, pod: &Pod) -> Result<(), Untold> {
        let params = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions {
                uid: pod.metadata.uid.clone(),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        let (_, name) = names(pod);
        match self.api.delete(name, &params).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            Err(error) => {
                tracing::warn!(pod = name, %error, "pod not deleted");
                Err(Untold)
            }
        }
    }
}
