//! ReplicaSets: as many pods as wanted, no more and no fewer.
//!
//! A round claims the pods that the selector matches, lets [`plan`] say how many to create or which
//! to delete, does it, and reports. Before it decides, the cache must show all that earlier rounds
//! did ([`Expectations`]).

mod act;
mod plan;
mod rank;
mod status;
mod view;

use std::sync::Arc;

use k8s_openapi::api::{apps::v1::ReplicaSet, core::v1::Pod};
use k8s_runtime::{
    Action, Context, Controller, Event, EventRecorder, Expectations, Key, Store, index,
};
use kube::{Api, api::PostParams};

use crate::{
    claim::{self, Claim},
    orphan,
};
use act::Actor;
use plan::Step;
use view::View;

/// Rounds that may run side by side.
const WORKERS: usize = 8;

/// Runs the controller until the context is cancelled.
pub async fn run(ctx: Context) {
    let sets = ctx.hub.informer::<ReplicaSet>();
    let pods = ctx.hub.informer::<Pod>();
    sets.add_index(index::BY_OWNER, index::controller_uid);
    pods.add_index(index::BY_OWNER, index::controller_uid);
    pods.add_index(orphan::INDEX, orphan::namespace);
    let loop_ = Arc::new(Loop {
        sets: sets.store(),
        pods: pods.store(),
        events: EventRecorder::new(&ctx, "replicaset-controller"),
        expectations: Expectations::new(ctx.clock.clone()),
        ctx: ctx.clone(),
    });
    let by_pod = loop_.clone();
    Controller::new("replicaset", ctx)
        .owns_keys(&sets)
        .on(&pods, move |event| by_pod.of_pod(event))
        .run(WORKERS, move |key| {
            let round = loop_.clone();
            async move { round.reconcile(key).await }
        })
        .await;
}

struct Loop {
    ctx: Context,
    sets: Store<ReplicaSet>,
    pods: Store<Pod>,
    events: EventRecorder,
    expectations: Expectations,
}

impl Loop {
    async fn reconcile(&self, key: Key) -> Result<Action, kube::Error> {
        let Some(set) = self.sets.get(&key) else {
            self.expectations.forget(&key);
            return Ok(Action::Done);
        };
        // In this order: what the store shows at the check, the pods that are read next show.
        let is_settled = self.expectations.is_satisfied(&key, &self.pods);
        let pods = self.claim_pods(&set).await?;
        let now = self.ctx.clock.now();
        let mut view = View::new(set, pods, is_settled);
        let is_shrinking = view.active().count() > view.wanted();
        if is_shrinking {
            view = view.with_siblings(&self.sets, &self.pods);
        }
        let step: Step = plan::plan(&view, now);
        let actor = Actor::new(&self.ctx, &self.events, &self.expectations, &view.set);
        let (failure, error) = match actor.carry_out(step).await {
            Ok(()) => (None, None),
            Err((failure, error)) => (Some(failure), Some(error)),
        };
        let status = status::status(&view, failure.as_ref(), now);
        if view.set.status.as_ref() != Some(&status) {
            let mut set = ReplicaSet::clone(&view.set);
            set.status = Some(status);
            self.write_status(&set).await?;
        }
        match error {
            Some(error) => Err(error),
            None => Ok(plan::again(&view, now).map_or(Action::Done, Action::After)),
        }
    }

    async fn write_status(&self, set: &ReplicaSet) -> Result<(), kube::Error> {
        let key = Key::of(set);
        let api: Api<ReplicaSet> = Api::namespaced(self.ctx.client.clone(), &key.namespace);
        let params = PostParams::default();
        match api.replace_status(&key.name, &params, set).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            other => other.map(drop),
        }
    }

    /// The pods that belong to a set; adopts orphans and releases what no longer matches.
    async fn claim_pods(&self, set: &ReplicaSet) -> Result<Vec<Arc<Pod>>, kube::Error> {
        let meta = &set.metadata;
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        let uid = meta.uid.as_deref().unwrap_or_default();
        let Some(selector) = claim::selector(&set.spec.selector) else {
            return Ok(Vec::new());
        };
        let api: Api<Pod> = Api::namespaced(self.ctx.client.clone(), namespace);
        let mut pods = Vec::new();
        let mut candidates = self.pods.by_index(index::BY_OWNER, uid);
        candidates.extend(self.pods.by_index(orphan::INDEX, namespace));
        for pod in candidates {
            match claim::claim(meta, &selector, &pod.metadata) {
                Claim::Owned => pods.push(pod),
                Claim::Release => claim::release(&api, uid, &pod.metadata).await?,
                // A pod that has ended is no use to anybody.
                Claim::Adopt if k8s_apimachinery::pod::readiness::is_active(&pod) => {
                    orphan::check_owner(&self.ctx, set).await?;
                    let owner = claim::controller_reference(set);
                    pods.push(Arc::new(claim::adopt(&api, owner, &pod.metadata).await?));
                }
                Claim::Adopt | Claim::Foreign => {}
            }
        }
        Ok(pods)
    }

    /// The sets that an event of a pod concerns: those that own it or did, or, for an orphan, those
    /// whose selector matches.
    fn of_pod(&self, event: &Event<Pod>) -> Vec<Key> {
        let pod = event.object();
        let states = event.old().into_iter().chain([pod]);
        let mut keys: Vec<Key> = states
            .filter_map(|pod| crate::owner_key::<ReplicaSet>(&pod.metadata))
            .collect();
        let is_orphan = claim::controller_of(&pod.metadata).is_none();
        if is_orphan && !matches!(event, Event::Deleted(_)) {
            let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
            let candidates = self.sets.list_in(namespace);
            let matching = candidates.iter().filter(|set| {
                let selector = claim::selector(&set.spec.selector);
                selector.is_some_and(|selector| claim::matches(&selector, &pod.metadata))
            });
            keys.extend(matching.map(|set| Key::of(&**set)));
        }
        keys.dedup();
        keys
    }
}
