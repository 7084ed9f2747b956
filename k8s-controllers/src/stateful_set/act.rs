//! Carrying a plan out, with the events that users see.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_runtime::{Context, EventRecorder, Expectations, Key, reference};
use kube::{
    Api,
    api::{DeleteParams, PostParams, Preconditions},
};

use super::{plan::Step, view::View};
use crate::{namespace, said};

/// Does what a plan says for one set.
pub(super) struct Actor<'a> {
    pods: Api<Pod>,
    claims: Api<PersistentVolumeClaim>,
    events: &'a EventRecorder,
    expectations: &'a Expectations,
    view: &'a View,
    key: Key,
}

impl<'a> Actor<'a> {
    pub(super) fn new(
        ctx: &Context,
        events: &'a EventRecorder,
        expectations: &'a Expectations,
        view: &'a View,
    ) -> Self {
        let key = Key::of(&*view.set);
        Self {
            pods: Api::namespaced(ctx.client.clone(), &key.namespace),
            claims: Api::namespaced(ctx.client.clone(), &key.namespace),
            events,
            expectations,
            view,
            key,
        }
    }

    /// In order, up to the first that fails.
    pub(super) async fn carry_out(&self, steps: Vec<Step>) -> Result<(), kube::Error> {
        for step in steps {
            match step {
                Step::Create(pod, claims) => {
                    self.make_claims(&pod, claims).await?;
                    self.create(&pod).await?;
                }
                Step::Delete(pod) => self.delete(&pod).await?,
                Step::Update(pod) => self.update(&pod).await?,
                Step::Claim(pod, claims) => self.make_claims(&pod, claims).await?,
                Step::Own(claims) => {
                    for claim in claims {
                        let name = claim.metadata.name.as_deref().unwrap_or_default();
                        let params = PostParams::default();
                        self.claims.replace(name, &params, &claim).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn create(&self, pod: &Pod) -> Result<(), kube::Error> {
        match self.pods.create(&PostParams::default(), pod).await {
            Ok(created) => {
                self.expectations.written(&self.key, &created);
                self.tell("create", pod, None);
                Ok(())
            }
            // Its namespace is going, and the set will go with it: nobody's fault.
            Err(error) if namespace::is_terminating(&error) => Ok(()),
            Err(error) => {
                let exists = matches!(&error, kube::Error::Api(it) if it.is_already_exists());
                if !exists {
                    self.tell("create", pod, Some(&error));
                }
                Err(error)
            }
        }
    }

    async fn delete(&self, pod: &Pod) -> Result<(), kube::Error> {
        let only_this = Preconditions {
            uid: pod.metadata.uid.clone(),
            resource_version: None,
        };
        let params = DeleteParams::default().preconditions(only_this);
        match self.pods.delete(name(pod), &params).await {
            Ok(_) => {
                self.expectations.deleted(&self.key, pod);
                self.tell("delete", pod, None);
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => {
                self.tell("delete", pod, Some(&error));
                Err(error)
            }
        }
    }

    async fn update(&self, pod: &Pod) -> Result<(), kube::Error> {
        let updated = self
            .pods
            .replace(name(pod), &PostParams::default(), pod)
            .await;
        self.tell("update", pod, updated.as_ref().err());
        let updated = updated?;
        self.expectations.written(&self.key, &updated);
        Ok(())
    }

    async fn make_claims(
        &self,
        pod: &Pod,
        claims: Vec<PersistentVolumeClaim>,
    ) -> Result<(), kube::Error> {
        for claim in claims {
            let (claim_name, pod) = (
                claim.metadata.name.as_deref().unwrap_or_default(),
                name(pod),
            );
            let set = &self.key.name;
            match self.claims.create(&PostParams::default(), &claim).await {
                Ok(_) => {
                    let message =
                        format!("create Claim {claim_name} Pod {pod} in StatefulSet {set} success");
                    self.events
                        .normal(reference(&*self.view.set), "SuccessfulCreate", message);
                }
                Err(error) if namespace::refuses_content(&error) => {}
                Err(error) => {
                    let message = format!(
                        "create Claim {claim_name} for Pod {pod} in StatefulSet {set} failed error: {}",
                        said(&error)
                    );
                    self.events
                        .warning(reference(&*self.view.set), "FailedCreate", message);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn tell(&self, verb: &str, pod: &Pod, error: Option<&kube::Error>) {
        let (pod, set) = (name(pod), &self.key.name);
        let about = reference(&*self.view.set);
        let verb_as_title = match verb {
            "create" => "Create",
            "delete" => "Delete",
            _ => "Update",
        };
        match error {
            None => {
                let message = format!("{verb} Pod {pod} in StatefulSet {set} successful");
                let reason = format!("Successful{verb_as_title}");
                self.events.normal(about, &reason, message);
            }
            Some(error) => {
                let error = said(error);
                let message =
                    format!("{verb} Pod {pod} in StatefulSet {set} failed error: {error}");
                let reason = format!("Failed{verb_as_title}");
                self.events.warning(about, &reason, message);
            }
        }
    }
}

fn name(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or_default()
}
