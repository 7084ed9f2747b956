//! Endpoints: the older form of EndpointSlices, one object per service, for clients that still read
//! it.

mod plan;

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Endpoints, Pod, Service};
use k8s_runtime::{Action, Context, Controller, Key, Store};
use kube::{
    Api,
    api::{DeleteParams, PostParams},
    core::SelectorExt,
};

use crate::endpoint;
use plan::Step;

/// Rounds that may run side by side.
const WORKERS: usize = 8;

/// Runs the controller until the context is cancelled.
pub async fn run(ctx: Context) {
    let services = ctx.hub.informer::<Service>();
    let pods = ctx.hub.informer::<Pod>();
    let endpoints = ctx.hub.informer::<Endpoints>();
    let loop_ = Arc::new(Loop {
        services: services.store(),
        pods: pods.store(),
        endpoints: endpoints.store(),
        ctx: ctx.clone(),
    });
    let by_pod = services.store();
    Controller::new("endpoint", ctx)
        .owns_keys(&services)
        .owns_keys(&endpoints)
        .on(&pods, move |event| endpoint::services_of(&by_pod, event))
        .run(WORKERS, move |key| {
            let round = loop_.clone();
            async move { round.reconcile(key).await }
        })
        .await;
}

struct Loop {
    ctx: Context,
    services: Store<Service>,
    pods: Store<Pod>,
    endpoints: Store<Endpoints>,
}

impl Loop {
    async fn reconcile(&self, key: Key) -> Result<Action, kube::Error> {
        let Some(service) = self.services.get(&key) else {
            return self.remove(&key).await;
        };
        let Some(selector) = endpoint::selector(&service) else {
            return Ok(Action::Done);
        };
        let mut pods = self.pods.list_in(&key.namespace);
        pods.retain(|pod| {
            let labels = pod.metadata.labels.as_ref();
            labels.is_some_and(|labels| selector.matches(labels))
        });
        let existing = self.endpoints.get(&key);
        let api = self.api(&key);
        let params = PostParams::default();
        match plan::plan(&service, &pods, existing.as_deref()) {
            Step::Nothing => {}
            Step::Create(wanted) => drop(api.create(&params, &wanted).await?),
            Step::Update(wanted) => drop(api.replace(&key.name, &params, &wanted).await?),
        }
        Ok(Action::Done)
    }

    /// Without its service, the object is of no use; it has no owner reference to go by.
    async fn remove(&self, key: &Key) -> Result<Action, kube::Error> {
        let Some(orphan) = self.endpoints.get(key) else {
            return Ok(Action::Done);
        };
        let labels = orphan.metadata.labels.as_ref();
        let is_ours =
            labels.is_some_and(|labels| labels.contains_key("endpoints.kubernetes.io/managed-by"));
        if !is_ours {
            return Ok(Action::Done);
        }
        match self
            .api(key)
            .delete(&key.name, &DeleteParams::default())
            .await
        {
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(Action::Done),
            other => other.map(|_| Action::Done),
        }
    }

    fn api(&self, key: &Key) -> Api<Endpoints> {
        Api::namespaced(self.ctx.client.clone(), &key.namespace)
    }
}
