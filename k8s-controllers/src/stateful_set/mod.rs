//! StatefulSets: pods with names and claims of their own, made and replaced in order.
//!
//! A round finds the revisions that the set's pods are made from ([`revision`]), claims the pods, lets [`plan`] say what
//! to do to which pod, does it ([`act`]), and reports. Before it decides, the cache must show all that earlier rounds did.

mod act;
mod claims;
mod history;
mod identity;
mod plan;
mod revision;
mod status;
mod view;

use std::sync::Arc;

use k8s_apimachinery::pod::readiness;
use k8s_openapi::api::{
    apps::v1::{ControllerRevision, StatefulSet},
    core::v1::{PersistentVolumeClaim, Pod},
};
use k8s_runtime::{
    Action, Context, Controller, Event, EventRecorder, Expectations, Key, Store, index,
};
use kube::{Api, api::PostParams};

use crate::{
    claim::{self, Claim},
    orphan,
};
use act::Actor;
use view::View;

/// Rounds that may run side by side.
const WORKERS: usize = 5;

/// Runs the controller until the context is cancelled.
pub async fn run(ctx: Context) {
    let sets = ctx.hub.informer::<StatefulSet>();
    let pods = ctx.hub.informer::<Pod>();
    let revisions = ctx.hub.informer::<ControllerRevision>();
    let claims = ctx.hub.informer::<PersistentVolumeClaim>();
    pods.add_index(index::BY_OWNER, index::controller_uid);
    pods.add_index(orphan::INDEX, orphan::namespace);
    revisions.add_index(index::BY_OWNER, index::controller_uid);
    revisions.add_index(orphan::INDEX, orphan::namespace);
    let loop_ = Arc::new(Loop {
        sets: sets.store(),
        pods: pods.store(),
        revisions: revisions.store(),
        claims: claims.store(),
        events: EventRecorder::new(&ctx, "statefulset-controller"),
        expectations: Expectations::new(ctx.clock.clone()),
        ctx: ctx.clone(),
    });
    let by_pod = loop_.clone();
    Controller::new("statefulset", ctx)
        .owns_keys(&sets)
        .on(&pods, move |event| by_pod.of_pod(event))
        .reads(&revisions)
        .reads(&claims)
        .run(WORKERS, move |key| {
            let round = loop_.clone();
            async move { round.reconcile(key).await }
        })
        .await;
}

struct Loop {
    ctx: Context,
    sets: Store<StatefulSet>,
    pods: Store<Pod>,
    revisions: Store<ControllerRevision>,
    claims: Store<PersistentVolumeClaim>,
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
        let revisions = self.revisions_of(&set).await?;
        let history = self.history(&set, &revisions).await?;
        let claims = self.claims.list_in(&key.namespace);
        let view = View::new(set, pods, history, &claims, self.ctx.clock.now());
        let outcome = match is_settled {
            true => {
                let actor = Actor::new(&self.ctx, &self.events, &self.expectations, &view);
                actor.carry_out(plan::plan(&view)).await
            }
            false => Ok(()),
        };
        let status = status::status(&view);
        if view.set.status.as_ref() != Some(&status) {
            let mut set = StatefulSet::clone(&view.set);
            set.status = Some(status);
            let api: Api<StatefulSet> = Api::namespaced(self.ctx.client.clone(), &key.namespace);
            let params = PostParams::default();
            match api.replace_status(&key.name, &params, &set).await {
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                other => drop(other?),
            }
        }
        outcome?;
        self.truncate(&view, &revisions).await?;
        Ok(view.again().map_or(Action::Done, Action::After))
    }

    /// The pods that belong to a set; adopts orphans and releases what no longer matches.
    async fn claim_pods(&self, set: &StatefulSet) -> Result<Vec<Arc<Pod>>, kube::Error> {
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
        // A pod without a name of the set's is none of its own, whatever its labels.
        candidates.retain(|pod| identity::ordinal(set, pod).is_some());
        for pod in candidates {
            match claim::claim(meta, &selector, &pod.metadata) {
                Claim::Owned => pods.push(pod),
                Claim::Release => claim::release(&api, uid, &pod.metadata).await?,
                Claim::Adopt if readiness::is_active(&pod) => {
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
            .filter_map(|pod| crate::owner_key::<StatefulSet>(&pod.metadata))
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
