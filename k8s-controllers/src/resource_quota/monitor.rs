//! Watches over kinds that quotas name and no shared store holds: what goes may make room.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use k8s_apimachinery::quota::Evaluator;
use k8s_runtime::{Context, Key, Queue, Sink, Source, WatchConfig};
use kube::{Api, api::DynamicObject, core::PartialObjectMeta};
use tokio::task::JoinSet;

use super::Tracking;
use crate::garbage_collector::resource::Resource;

/// The kinds that are followed through shared stores.
const FOLLOWED: [&str; 3] = ["pods", "services", "persistentvolumeclaims"];

/// One watch, of metadata alone, for each other kind that a quota has ever named.
pub(super) struct Monitors {
    ctx: Context,
    tracking: Tracking,
    queue: Queue<Key>,
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    kinds: HashSet<Evaluator>,
    tasks: JoinSet<()>,
}

impl Monitors {
    pub(super) fn new(ctx: &Context, tracking: Tracking, queue: Queue<Key>) -> Self {
        Self {
            ctx: ctx.clone(),
            tracking,
            queue,
            running: Mutex::default(),
        }
    }

    /// Watches a kind, if it isn't being watched.
    pub(super) fn watch(&self, evaluator: &Evaluator, resource: &Resource) {
        let is_followed =
            evaluator.group.is_empty() && FOLLOWED.contains(&evaluator.plural.as_str());
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if is_followed || !running.kinds.insert(evaluator.clone()) {
            return;
        }
        let api: Api<PartialObjectMeta<DynamicObject>> =
            Api::all_with(self.ctx.client.clone(), &resource.api);
        let source = Source::new(api, WatchConfig::default());
        let mut feed = Feed {
            evaluator: evaluator.clone(),
            tracking: self.tracking.clone(),
            queue: self.queue.clone(),
        };
        let cancel = self.ctx.cancel.clone();
        running
            .tasks
            .spawn(async move { source.run(&mut feed, cancel).await });
    }
}

/// Turns what goes into quotas to be counted.
struct Feed {
    evaluator: Evaluator,
    tracking: Tracking,
    queue: Queue<Key>,
}

impl Feed {
    fn count(&self, keys: Vec<Key>) {
        for key in keys {
            self.queue.add(key);
        }
    }
}

impl Sink<PartialObjectMeta<DynamicObject>> for Feed {
    /// Something may have gone unseen.
    fn replace(&mut self, _objects: Vec<PartialObjectMeta<DynamicObject>>, _rv: &str) {
        self.count(self.tracking.all_keys(&self.evaluator));
    }

    /// Whatever it costs has been charged.
    fn apply(&mut self, _object: PartialObjectMeta<DynamicObject>) {}

    fn delete(&mut self, object: PartialObjectMeta<DynamicObject>) {
        let namespace = object.metadata.namespace.unwrap_or_default();
        self.count(self.tracking.keys(&self.evaluator, &namespace));
    }

    fn bookmark(&mut self, _rv: &str) {}
}
