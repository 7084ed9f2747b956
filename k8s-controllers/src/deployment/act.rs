//! Carrying a plan out: one API call per write, in order, and the events that users see.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus, ReplicaSet};
use k8s_runtime::{Context, EventRecorder, reference};
use kube::{
    Api,
    api::{DeleteParams, PostParams, Preconditions},
};

use super::{
    plan::Write,
    size::{Goal, Size},
    status::{self, News},
    template,
    view::View,
};
use crate::{claim, said};

/// Does what a plan says. Stops at the first failure: the next round plans anew.
pub(super) struct Actor<'a> {
    ctx: &'a Context,
    events: &'a EventRecorder,
    view: &'a View,
    deployments: Api<Deployment>,
    sets: Api<ReplicaSet>,
    /// The Deployment as the last write left it, so that the next isn't a conflict.
    latest: Deployment,
}

impl<'a> Actor<'a> {
    pub(super) fn new(ctx: &'a Context, events: &'a EventRecorder, view: &'a View) -> Self {
        let namespace = view.deployment.metadata.namespace.as_deref();
        let namespace = namespace.unwrap_or_default();
        Self {
            deployments: Api::namespaced(ctx.client.clone(), namespace),
            sets: Api::namespaced(ctx.client.clone(), namespace),
            latest: Deployment::clone(&view.deployment),
            ctx,
            events,
            view,
        }
    }

    pub(super) async fn carry_out(&mut self, writes: Vec<Write>) -> Result<(), kube::Error> {
        for write in writes {
            match write {
                Write::Create(set) => self.create(set).await?,
                Write::Update { set, from, to } => self.update(set, from, to).await?,
                Write::Delete(set) => self.delete(&set).await?,
                Write::SetRevision(deployment) => self.set_revision(deployment).await?,
                Write::SetStatus(status) => self.set_status(status).await?,
            }
        }
        Ok(())
    }

    async fn create(&mut self, set: ReplicaSet) -> Result<(), kube::Error> {
        match self.sets.create(&PostParams::default(), &set).await {
            Ok(created) => {
                self.tell_scaled(&created, 0, Size::of(&created).replicas);
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.is_already_exists() => {
                self.settle_collision(&set).await
            }
            Err(error) => {
                self.report_failure(&set, &error).await?;
                Err(error)
            }
        }
    }

    /// The name is taken: by the very set that we want (an earlier round made it, and the cache
    /// lags), or by another, in which case the next round's hash counts the collision.
    async fn settle_collision(&mut self, wanted: &ReplicaSet) -> Result<(), kube::Error> {
        let name = wanted.metadata.name.as_deref().unwrap_or_default();
        let existing = self.sets.get(name).await?;
        let owner = claim::controller_of(&existing.metadata).map(|owner| &owner.uid);
        let is_ours = owner == self.latest.metadata.uid.as_ref()
            && template::is_of(&existing, &self.latest.spec.template);
        if is_ours {
            return Ok(());
        }
        let mut status = self.latest.status.clone().unwrap_or_default();
        status.collision_count = Some(status.collision_count.unwrap_or(0) + 1);
        tracing::info!(
            name,
            collisions = status.collision_count,
            "the name of a new ReplicaSet is taken"
        );
        self.set_status(status).await
    }

    async fn report_failure(
        &mut self,
        set: &ReplicaSet,
        error: &kube::Error,
    ) -> Result<(), kube::Error> {
        let name = set.metadata.name.as_deref().unwrap_or_default();
        let reason = said(error);
        let message = format!("Failed to create new replica set {name:?}: {reason}");
        let goal = Goal::of(&self.latest);
        let news = News::CreateFailed(&message);
        let status = status::status(self.view, &goal, news, self.ctx.clock.now());
        self.events.warning(
            reference(&self.latest),
            "ReplicaSetCreateError",
            message.clone(),
        );
        self.set_status(status).await
    }

    async fn update(&self, set: ReplicaSet, from: i32, to: i32) -> Result<(), kube::Error> {
        let name = set.metadata.name.as_deref().unwrap_or_default();
        let params = PostParams::default();
        let updated = self.sets.replace(name, &params, &set).await?;
        if from != to {
            self.tell_scaled(&updated, from, to);
        }
        Ok(())
    }

    async fn delete(&self, set: &ReplicaSet) -> Result<(), kube::Error> {
        let name = set.metadata.name.as_deref().unwrap_or_default();
        let only_this = Preconditions {
            uid: set.metadata.uid.clone(),
            resource_version: set.metadata.resource_version.clone(),
        };
        let params = DeleteParams::default().preconditions(only_this);
        match self.sets.delete(name, &params).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            other => other.map(drop),
        }
    }

    async fn set_revision(&mut self, deployment: Deployment) -> Result<(), kube::Error> {
        let name = deployment.metadata.name.clone().unwrap_or_default();
        let params = PostParams::default();
        self.latest = self
            .deployments
            .replace(&name, &params, &deployment)
            .await?;
        Ok(())
    }

    async fn set_status(&mut self, status: DeploymentStatus) -> Result<(), kube::Error> {
        let name = self.latest.metadata.name.clone().unwrap_or_default();
        self.latest.status = Some(status);
        let params = PostParams::default();
        let deployments = &self.deployments;
        self.latest = deployments
            .replace_status(&name, &params, &self.latest)
            .await?;
        Ok(())
    }

    fn tell_scaled(&self, set: &ReplicaSet, from: i32, to: i32) {
        if from == to {
            return;
        }
        let name = set.metadata.name.as_deref().unwrap_or_default();
        let direction = if to > from { "up" } else { "down" };
        let message = format!("Scaled {direction} replica set {name} from {from} to {to}");
        let about = reference(&self.latest);
        self.events.normal(about, "ScalingReplicaSet", message);
    }
}
