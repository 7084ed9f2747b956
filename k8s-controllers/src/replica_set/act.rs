//! Creating and deleting pods, and the events that users see.

use std::sync::Arc;

use futures::future::join_all;
use k8s_openapi::api::{
    apps::v1::ReplicaSet,
    core::v1::{Pod, PodTemplateSpec},
};
use k8s_runtime::{Context, EventRecorder, Expectations, Key, reference};
use kube::{
    Api,
    api::{DeleteParams, ObjectMeta, PostParams, Preconditions},
};

use super::{plan::Step, status::Failure};
use crate::{claim, namespace, said};

/// Does what a plan says for one ReplicaSet.
pub(super) struct Actor<'a> {
    pods: Api<Pod>,
    events: &'a EventRecorder,
    expectations: &'a Expectations,
    set: &'a ReplicaSet,
    key: Key,
}

impl<'a> Actor<'a> {
    pub(super) fn new(
        ctx: &Context,
        events: &'a EventRecorder,
        expectations: &'a Expectations,
        set: &'a ReplicaSet,
    ) -> Self {
        let key = Key::of(set);
        Self {
            pods: Api::namespaced(ctx.client.clone(), &key.namespace),
            events,
            expectations,
            set,
            key,
        }
    }

    /// The failure is for the status; the error brings the set back.
    pub(super) async fn carry_out(&self, step: Step) -> Result<(), (Failure, kube::Error)> {
        match step {
            Step::Nothing => Ok(()),
            Step::Create(count) => self.create(count).await.map_err(|error| {
                let failure = ("FailedCreate", said(&error));
                (failure, error)
            }),
            Step::Delete(pods) => self.delete(&pods).await.map_err(|error| {
                let failure = ("FailedDelete", said(&error));
                (failure, error)
            }),
        }
    }

    /// In batches that start with one and double while all goes well: what is bound to fail (a
    /// full quota, a refused template) fails once, not hundreds of times.
    async fn create(&self, count: usize) -> Result<(), kube::Error> {
        let template = self.set.spec.template.clone();
        let pod = pod_of(self.set, template.unwrap_or_default());
        let (mut left, mut batch) = (count, 1);
        while left > 0 {
            let size = batch.min(left);
            let results = join_all((0..size).map(|_| self.create_one(&pod))).await;
            results.into_iter().collect::<Result<(), _>>()?;
            left -= size;
            batch *= 2;
        }
        Ok(())
    }

    async fn create_one(&self, pod: &Pod) -> Result<(), kube::Error> {
        match self.pods.create(&PostParams::default(), pod).await {
            Ok(created) => {
                self.expectations.written(&self.key, &created);
                let name = created.metadata.name.as_deref().unwrap_or_default();
                let message = format!("Created pod: {name}");
                self.events
                    .normal(reference(self.set), "SuccessfulCreate", message);
                Ok(())
            }
            // Its namespace is going, and the set will go with it: nobody's fault.
            Err(error) if namespace::is_terminating(&error) => Ok(()),
            Err(error) => {
                let message = format!("Error creating: {}", said(&error));
                self.events
                    .warning(reference(self.set), "FailedCreate", message);
                Err(error)
            }
        }
    }

    async fn delete(&self, pods: &[Arc<Pod>]) -> Result<(), kube::Error> {
        let results = join_all(pods.iter().map(|pod| self.delete_one(pod))).await;
        results.into_iter().collect()
    }

    async fn delete_one(&self, pod: &Pod) -> Result<(), kube::Error> {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let only_this = Preconditions {
            uid: pod.metadata.uid.clone(),
            resource_version: None,
        };
        let params = DeleteParams::default().preconditions(only_this);
        match self.pods.delete(name, &params).await {
            Ok(_) => {
                self.expectations.deleted(&self.key, pod);
                let message = format!("Deleted pod: {name}");
                self.events
                    .normal(reference(self.set), "SuccessfulDelete", message);
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => {
                let message = format!("Error deleting: {}", said(&error));
                self.events
                    .warning(reference(self.set), "FailedDelete", message);
                Err(error)
            }
        }
    }
}

fn pod_of(set: &ReplicaSet, template: PodTemplateSpec) -> Pod {
    let meta = template.metadata.unwrap_or_default();
    let name = set.metadata.name.as_deref().unwrap_or_default();
    Pod {
        metadata: ObjectMeta {
            generate_name: Some(format!("{name}-")),
            namespace: set.metadata.namespace.clone(),
            labels: meta.labels,
            annotations: meta.annotations,
            finalizers: meta.finalizers,
            owner_references: Some(vec![claim::controller_reference(set)]),
            ..ObjectMeta::default()
        },
        spec: template.spec,
        status: None,
    }
}
