//! Deployments: declarative updates of pods through ReplicaSets.
//!
//! Each template of a Deployment has a ReplicaSet of its own. A rollout makes the set of the current
//! template grow while the others shrink ([`rolling`]), or lets the others end first
//! ([`recreate`]). Pods are never touched here. What a round does is decided by [`plan`], a pure
//! function of the [`view`] and the time; [`act`] writes it.

mod act;
mod plan;
mod proportion;
mod recreate;
mod revision;
mod rolling;
mod size;
mod status;
mod template;
mod view;

use std::sync::Arc;

use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::Pod,
};
use k8s_runtime::{Action, Context, Controller, Event, EventRecorder, Key, Store, index};
use kube::Api;

use crate::{
    claim::{self, Claim},
    orphan,
};
use act::Actor;
use view::View;

/// Rounds that may run side by side.
const WORKERS: usize = 8;

/// Runs the controller until the context is cancelled.
pub async fn run(ctx: Context) {
    let deployments = ctx.hub.informer::<Deployment>();
    let sets = ctx.hub.informer::<ReplicaSet>();
    let pods = ctx.hub.informer::<Pod>();
    sets.add_index(index::BY_OWNER, index::controller_uid);
    sets.add_index(orphan::INDEX, orphan::namespace);
    pods.add_index(index::BY_OWNER, index::controller_uid);
    let stores = Arc::new(Stores {
        deployments: deployments.store(),
        sets: sets.store(),
        pods: pods.store(),
    });
    let events = EventRecorder::new(&ctx, "deployment-controller");
    let (by_set, by_pod) = (stores.clone(), stores.clone());
    Controller::new("deployment", ctx.clone())
        .owns_keys(&deployments)
        .on(&sets, move |event| by_set.of_set(event))
        .on(&pods, move |event| by_pod.of_deleted_pod(event))
        .run(WORKERS, move |key| {
            reconcile(ctx.clone(), stores.clone(), events.clone(), key)
        })
        .await;
}

struct Stores {
    deployments: Store<Deployment>,
    sets: Store<ReplicaSet>,
    pods: Store<Pod>,
}

async fn reconcile(
    ctx: Context,
    stores: Arc<Stores>,
    events: EventRecorder,
    key: Key,
) -> Result<Action, kube::Error> {
    let Some(deployment) = stores.deployments.get(&key) else {
        return Ok(Action::Done);
    };
    let sets = claim_sets(&ctx, &stores, &deployment).await?;
    let view = View::new(deployment, sets, &stores.pods);
    let plan = plan::plan(&view, ctx.clock.now());
    Actor::new(&ctx, &events, &view)
        .carry_out(plan.writes)
        .await?;
    Ok(plan.again.map_or(Action::Done, Action::After))
}

/// The sets that belong to a Deployment; adopts orphans and releases what no longer matches.
async fn claim_sets(
    ctx: &Context,
    stores: &Stores,
    deployment: &Deployment,
) -> Result<Vec<Arc<ReplicaSet>>, kube::Error> {
    let meta = &deployment.metadata;
    let (namespace, uid) = (text(&meta.namespace), text(&meta.uid));
    let Some(selector) = claim::selector(&deployment.spec.selector) else {
        return Ok(Vec::new());
    };
    let api: Api<ReplicaSet> = Api::namespaced(ctx.client.clone(), namespace);
    let mut sets = Vec::new();
    let mut candidates = stores.sets.by_index(index::BY_OWNER, uid);
    candidates.extend(stores.sets.by_index(orphan::INDEX, namespace));
    for set in candidates {
        match claim::claim(meta, &selector, &set.metadata) {
            Claim::Owned => sets.push(set),
            Claim::Release => claim::release(&api, uid, &set.metadata).await?,
            Claim::Adopt => {
                orphan::check_owner(ctx, deployment).await?;
                let owner = claim::controller_reference(deployment);
                sets.push(Arc::new(claim::adopt(&api, owner, &set.metadata).await?));
            }
            Claim::Foreign => {}
        }
    }
    Ok(sets)
}

impl Stores {
    /// The Deployments that an event of a set concerns: those that own it or did, or, for an
    /// orphan, those whose selector matches.
    fn of_set(&self, event: &Event<ReplicaSet>) -> Vec<Key> {
        let set = event.object();
        let states = event.old().into_iter().chain([set]);
        let mut keys: Vec<Key> = states
            .filter_map(|set| crate::owner_key::<Deployment>(&set.metadata))
            .collect();
        let is_orphan = claim::controller_of(&set.metadata).is_none();
        if is_orphan && !matches!(event, Event::Deleted(_)) {
            let namespace = text(&set.metadata.namespace);
            let candidates = self.deployments.list_in(namespace);
            let matching = candidates.iter().filter(|deployment| {
                let selector = claim::selector(&deployment.spec.selector);
                selector.is_some_and(|selector| claim::matches(&selector, &set.metadata))
            });
            keys.extend(matching.map(|deployment| Key::of(&**deployment)));
        }
        keys.dedup();
        keys
    }

    /// Only Recreate waits for pods, and only for their end.
    fn of_deleted_pod(&self, event: &Event<Pod>) -> Vec<Key> {
        use k8s_apimachinery::pod::readiness::is_terminal;
        let pod = event.object();
        if !matches!(event, Event::Deleted(_)) && !is_terminal(pod) {
            return Vec::new();
        }
        let set = crate::owner_key::<ReplicaSet>(&pod.metadata);
        let set = set.and_then(|key| self.sets.get(&key));
        let deployment = set.and_then(|set| crate::owner_key::<Deployment>(&set.metadata));
        let deployment = deployment.and_then(|key| self.deployments.get(&key));
        let recreates = deployment.filter(|deployment| size::Goal::of(deployment).is_recreate);
        recreates.iter().map(|found| Key::of(&**found)).collect()
    }
}

fn text(part: &Option<String>) -> &str {
    part.as_deref().unwrap_or_default()
}
