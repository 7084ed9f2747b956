//! Resource quotas: what is used of them, counted.
//!
//! The API server charges each write to the quotas that cover it, in the write's own transaction. This controller puts
//! new limits into force and sees what no write is charged for: pods that end, services that become simpler, objects
//! from before the quota. It must not undo a charge that is made meanwhile. So it takes a quota at some revision, counts
//! ([`observe`]) on a view of the objects that is no older, and writes under the condition that the quota is still at
//! that revision: an object is either in the view, or its charge has moved the quota on and the round is lost.

mod monitor;
mod observe;
mod plan;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_apimachinery::{
    Object,
    quota::{Evaluator, Quota, pod},
};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, ResourceQuota, Service};
use k8s_runtime::{Action, Context, Controller, Event, Key, Store};
use kube::{Api, api::PostParams};

use monitor::Monitors;
use observe::{Observed, Observer};

/// Rounds that may run side by side.
const WORKERS: usize = 5;
/// How often each quota is counted although nothing seems to have changed.
const PERIOD: Duration = Duration::from_secs(5 * 60);
/// Between a lost round and the next.
const PAUSE: Duration = Duration::from_millis(10);
/// After limits came into force: by then, writes that were under way before are through.
const STRAGGLERS: Duration = Duration::from_secs(1);

/// Runs the controller until the context is cancelled.
pub async fn run(ctx: Context) {
    let quotas = ctx.hub.informer::<ResourceQuota>();
    let pods = ctx.hub.informer::<Pod>();
    let services = ctx.hub.informer::<Service>();
    let claims = ctx.hub.informer::<PersistentVolumeClaim>();
    let controller = Controller::new("resourcequota", ctx.clone());
    let tracking = Tracking {
        quotas: quotas.store(),
    };
    let loop_ = Arc::new(Loop {
        tracking: tracking.clone(),
        observer: Observer::new(ctx.client.clone(), pods.store()),
        monitors: Monitors::new(&ctx, tracking.clone(), controller.queue()),
        ctx: ctx.clone(),
    });
    let (of_pods, of_services, of_claims) = (tracking.clone(), tracking.clone(), tracking);
    controller
        .on(&quotas, of_quota)
        .on(&pods, move |event| of_pods.of_pod(event, ctx.clock.now()))
        .on(&services, move |event| of_services.of("services", event))
        .on(&claims, move |event| {
            of_claims.of("persistentvolumeclaims", event)
        })
        .run(WORKERS, move |key| {
            let round = loop_.clone();
            async move { round.reconcile(key).await }
        })
        .await;
}

struct Loop {
    ctx: Context,
    tracking: Tracking,
    observer: Observer,
    monitors: Monitors,
}

impl Loop {
    async fn reconcile(&self, key: Key) -> Result<Action, kube::Error> {
        let Some(quota) = self.tracking.quotas.get(&key) else {
            return Ok(Action::Done);
        };
        let now = self.ctx.clock.now();
        let read = read(&quota);
        let revision = quota.metadata.resource_version.as_deref();
        let revision = revision.and_then(|rv| rv.parse().ok()).unwrap_or(u64::MAX);
        let mut all = Vec::new();
        let mut failure = None;
        for evaluator in plan::evaluators(&read) {
            if let Some(resource) = self.observer.find(&evaluator).await? {
                self.monitors.watch(&evaluator, &resource);
            }
            let seen = self
                .observer
                .observe(&evaluator, &key.namespace, revision, now);
            match seen.await {
                Ok(seen) => all.extend(seen),
                // What can be counted is written nevertheless.
                Err(error) => failure = Some(error),
            }
        }
        let plan = plan::plan(&read, &all);
        if let Some(status) = plan {
            let mut counted = ResourceQuota::clone(&quota);
            counted.status = Some(status);
            let api = Api::namespaced(self.ctx.client.clone(), &key.namespace);
            let params = PostParams::default();
            let written: Result<ResourceQuota, _> =
                api.replace_status(&key.name, &params, &counted).await;
            match written {
                // A charge came first: the store will show it in a moment.
                Err(kube::Error::Api(status)) if status.is_conflict() => {
                    return Ok(Action::After(PAUSE));
                }
                Err(kube::Error::Api(status)) if status.is_not_found() => {
                    return Ok(Action::Done);
                }
                other => drop(other?),
            }
        }
        match failure {
            Some(error) => Err(error),
            None => Ok(Action::After(next_look(&read, &all, now))),
        }
    }
}

/// When to count again if nothing happens: soon after limits came into force, when a pod should have ended, and now and
/// then in any case.
fn next_look(quota: &Quota, all: &[Observed], now: Timestamp) -> Duration {
    let overdue = all.iter().filter_map(|seen| seen.overdue).min();
    let until = overdue.map(|due| Duration::try_from(due.duration_since(now)).unwrap_or_default());
    let overdue = until.map(|until| until + Duration::from_secs(1));
    let stragglers = (quota.hard != quota.wanted).then_some(STRAGGLERS);
    [overdue, stragglers, Some(PERIOD)]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(PERIOD)
}

/// Which quotas an object concerns.
#[derive(Clone)]
struct Tracking {
    quotas: Store<ResourceQuota>,
}

impl Tracking {
    /// The quotas of a namespace that count these objects.
    fn keys(&self, evaluator: &Evaluator, namespace: &str) -> Vec<Key> {
        let quotas = self.quotas.list_in(namespace);
        let tracking = quotas.iter().filter(|quota| tracks(quota, evaluator));
        tracking.map(|quota| Key::of(&**quota)).collect()
    }

    /// The quotas of all namespaces that count these objects.
    fn all_keys(&self, evaluator: &Evaluator) -> Vec<Key> {
        let quotas = self.quotas.list();
        let tracking = quotas.iter().filter(|quota| tracks(quota, evaluator));
        tracking.map(|quota| Key::of(&**quota)).collect()
    }

    /// A pod frees something when it goes, when it ends, and when it is made smaller.
    fn of_pod(&self, event: &Event<Pod>, now: Timestamp) -> Vec<Key> {
        let frees = match event {
            Event::Added(_) => false,
            Event::Deleted(_) => true,
            Event::Updated { old, new } => pod::may_free(old, new, now),
        };
        match frees {
            true => self.of("pods", event),
            false => Vec::new(),
        }
    }

    /// Of what is added, the charge is in the quota already.
    fn of<K: kube::Resource<DynamicType = ()>>(&self, plural: &str, event: &Event<K>) -> Vec<Key> {
        let namespace = event.object().meta().namespace.as_deref();
        match (event, Evaluator::of("", plural)) {
            (Event::Updated { .. } | Event::Deleted(_), Some(evaluator)) => {
                self.keys(&evaluator, namespace.unwrap_or_default())
            }
            _ => Vec::new(),
        }
    }
}

/// A quota concerns itself when it is new, and when what it is to count has changed. Most of its changes are charges.
fn of_quota(event: &Event<ResourceQuota>) -> Vec<Key> {
    let is_due = match event {
        Event::Added(_) => true,
        Event::Deleted(_) => false,
        Event::Updated { old, new } => {
            let quota = read(new);
            old.spec != new.spec || quota.wanted != quota.hard
        }
    };
    is_due
        .then(|| Key::of(&**event.object()))
        .into_iter()
        .collect()
}

fn tracks(quota: &ResourceQuota, evaluator: &Evaluator) -> bool {
    let hard = quota.spec.as_ref().and_then(|spec| spec.hard.as_ref());
    hard.is_some_and(|hard| hard.keys().any(|name| evaluator.tracks(name)))
}

fn read(quota: &ResourceQuota) -> Quota {
    let tree = serde_json::to_value(quota).expect("a typed object is a tree");
    Quota::read(&Object::from_value(tree).expect("a typed object is a JSON object"))
}
