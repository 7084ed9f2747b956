//! EndpointSlices: where the pods of a service are, for proxies and DNS.
//!
//! A round makes the endpoints that a service's pods amount to ([`desired`]), compares them with the
//! slices that exist ([`plan`]) and writes the difference, if there is one.

mod desired;
mod plan;

use std::sync::Arc;

use k8s_openapi::api::{
    core::v1::{Node, Pod, Service},
    discovery::v1::EndpointSlice,
};
use k8s_runtime::{Action, Context, Controller, Event, Expectations, Key, Store};
use kube::{
    Api,
    api::{DeleteParams, PostParams},
    core::SelectorExt,
};

use crate::endpoint;
use plan::{MANAGED_BY_LABEL, MANAGER, Plan, SERVICE_LABEL};

/// Rounds that may run side by side.
const WORKERS: usize = 8;
/// Index of the slices that this controller manages, by `namespace/service`.
const BY_SERVICE: &str = "service of managed slices";
/// Where a node says which zone it is in.
const ZONE_LABEL: &str = "topology.kubernetes.io/zone";

/// Runs the controller until the context is cancelled.
pub async fn run(ctx: Context) {
    let services = ctx.hub.informer::<Service>();
    let pods = ctx.hub.informer::<Pod>();
    let nodes = ctx.hub.informer::<Node>();
    let slices = ctx.hub.informer::<EndpointSlice>();
    slices.add_index(BY_SERVICE, |slice| {
        service_of(slice).iter().map(Key::to_string).collect()
    });
    let loop_ = Arc::new(Loop {
        services: services.store(),
        pods: pods.store(),
        nodes: nodes.store(),
        slices: slices.store(),
        expectations: Expectations::new(ctx.clock.clone()),
        ctx: ctx.clone(),
    });
    let (by_pod, by_node) = (services.store(), loop_.clone());
    Controller::new("endpointslice", ctx)
        .owns_keys(&services)
        .on(&pods, move |event| endpoint::services_of(&by_pod, event))
        .on(&slices, |event| {
            service_of(event.object()).into_iter().collect()
        })
        .on(&nodes, move |event| by_node.of_node(event))
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
    nodes: Store<Node>,
    slices: Store<EndpointSlice>,
    expectations: Expectations,
}

impl Loop {
    async fn reconcile(&self, key: Key) -> Result<Action, kube::Error> {
        let Some(service) = self.services.get(&key) else {
            // Its slices go with it, by their owner reference.
            self.expectations.forget(&key);
            return Ok(Action::Done);
        };
        if !self.expectations.is_satisfied(&key, &self.slices) {
            return Ok(Action::Done);
        }
        let Some(selector) = endpoint::selector(&service) else {
            return Ok(Action::Done);
        };
        if service.metadata.deletion_timestamp.is_some() {
            return Ok(Action::Done);
        }
        let mut pods = self.pods.list_in(&key.namespace);
        pods.retain(|pod| {
            let labels = pod.metadata.labels.as_ref();
            labels.is_some_and(|labels| selector.matches(labels))
        });
        let desired = desired::desired(&service, &pods, |node| self.zone(node));
        let existing = self.slices.by_index(BY_SERVICE, &key.to_string());
        let plan = plan::plan(&service, &existing, desired);
        self.carry_out(&key, plan).await?;
        Ok(Action::Done)
    }

    async fn carry_out(&self, key: &Key, plan: Plan) -> Result<(), kube::Error> {
        let client = self.ctx.client.clone();
        let api: Api<EndpointSlice> = Api::namespaced(client, &key.namespace);
        let params = PostParams::default();
        for slice in plan.create {
            let created = api.create(&params, &slice).await?;
            self.expectations.written(key, &created);
        }
        for slice in plan.update {
            let name = slice.metadata.name.as_deref().unwrap_or_default();
            let updated = api.replace(name, &params, &slice).await?;
            self.expectations.written(key, &updated);
        }
        for slice in plan.delete {
            let name = slice.metadata.name.as_deref().unwrap_or_default();
            match api.delete(name, &DeleteParams::default()).await {
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                other => {
                    other?;
                    self.expectations.deleted(key, &*slice);
                }
            }
        }
        Ok(())
    }

    fn zone(&self, node: &str) -> Option<String> {
        let node = self.nodes.get(&Key::cluster(node))?;
        node.metadata.labels.as_ref()?.get(ZONE_LABEL).cloned()
    }

    /// A node matters only for its zone, which is hardly ever news: then all services are looked at.
    fn of_node(&self, event: &Event<Node>) -> Vec<Key> {
        let zone = |node: &Node| node.metadata.labels.as_ref()?.get(ZONE_LABEL).cloned();
        let is_news = match event {
            Event::Added(node) => zone(node).is_some(),
            Event::Updated { old, new } => zone(old) != zone(new),
            Event::Deleted(_) => false,
        };
        if !is_news {
            return Vec::new();
        }
        let services = self.services.list();
        services.iter().map(|service| Key::of(&**service)).collect()
    }
}

/// The service of a slice that this controller manages.
fn service_of(slice: &EndpointSlice) -> Option<Key> {
    let labels = slice.metadata.labels.as_ref()?;
    if labels.get(MANAGED_BY_LABEL).map(String::as_str) != Some(MANAGER) {
        return None;
    }
    let namespace = slice.metadata.namespace.clone().unwrap_or_default();
    Some(Key::new(namespace, labels.get(SERVICE_LABEL)?.clone()))
}
