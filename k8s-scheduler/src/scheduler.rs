//! The loop: news in, one decision at a time, bindings out.
//!
//! One task owns the cache and the queue; everything that awaits the API runs beside it and comes
//! back through a `JoinSet`. Cancelling the context's token, or dropping the future, ends all.

mod news;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::{FutureExt, StreamExt};
use k8s_apimachinery::pod::readiness;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_runtime::{Context, Event, Key};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    Builder,
    bind::{Binding, Bound, Refusal},
    cache::{Cache, PodInfo, Snapshot},
    config::{DEFAULT_SCHEDULER, Profile},
    cycle::{self, Options, Outcome, Rejections},
    framework::{Change, ClusterEvent},
    queue::{Queue, QueuedPod, Return},
    report::{Reporter, SCHEDULER_ERROR, UNSCHEDULABLE},
    waiting::WaitingPods,
};

/// Bindings under way before the loop waits for one to end.
const MAX_BINDINGS: usize = 256;

/// Gives pods their nodes until it is cancelled.
pub struct Scheduler {
    pub(crate) ctx: Context,
    pub(crate) profiles: BTreeMap<String, Arc<Profile>>,
    pub(crate) waiting: WaitingPods,
    pub(crate) seed: u64,
}

impl Scheduler {
    /// A scheduler that acts as this context's client. Its identity needs to list and watch pods, nodes, claims,
    /// volumes, and the kinds of `storage.k8s.io` that tell of them; to create `pods/binding` and events, patch
    /// `pods/status`, update claims and volumes, and delete pods.
    pub fn builder(ctx: Context) -> Builder {
        Builder::new(ctx)
    }

    /// Schedules until the context's token is cancelled.
    pub async fn run(self) {
        let cancel = self.ctx.cancel.clone();
        cancel.run_until_cancelled(Run::new(self).run()).await;
    }
}

/// A scheduler at work.
struct Run {
    scheduler: Scheduler,
    cache: Cache,
    queue: Queue,
    reporters: BTreeMap<String, Reporter>,
    bindings: JoinSet<Bound>,
    writes: JoinSet<()>,
    start: usize,
    seed: u64,
}

impl Run {
    fn new(scheduler: Scheduler) -> Self {
        let profiles = scheduler.profiles.values();
        let points = || profiles.clone().map(|profile| &profile.points);
        let sort = points().find_map(|points| points.queue_sort.last());
        let gates = points().flat_map(|points| &points.pre_enqueue);
        let reporters = profiles.clone().map(|profile| {
            let name = profile.scheduler_name.clone();
            (name, Reporter::new(&scheduler.ctx, &profile.scheduler_name))
        });
        Self {
            queue: Queue::new(
                sort.map(|served| served.plugin.clone()),
                gates.map(|served| served.plugin.clone()).collect(),
                profiles
                    .clone()
                    .flat_map(|p| p.plugins.iter().cloned())
                    .collect(),
            ),
            reporters: reporters.collect(),
            cache: Cache::default(),
            bindings: JoinSet::new(),
            writes: JoinSet::new(),
            start: 0,
            seed: scheduler.seed,
            scheduler,
        }
    }

    async fn run(mut self) {
        let nodes = self.scheduler.ctx.hub.informer::<Node>();
        let pods = self.scheduler.ctx.hub.informer::<Pod>();
        nodes.synced().await;
        pods.synced().await;
        let mut storage = news::follow(&self.scheduler.ctx.hub).await;
        let (mut nodes, mut pods) = (nodes.subscribe(), pods.subscribe());
        loop {
            // What has arrived comes before what is to be decided.
            while let Some(Some(event)) = nodes.next().now_or_never() {
                self.on_node(event);
            }
            while let Some(Some(event)) = pods.next().now_or_never() {
                self.on_pod(event);
            }
            while let Some(Some(news)) = storage.next().now_or_never() {
                self.on_storage(news);
            }
            while let Some(bound) = self.bindings.try_join_next() {
                self.on_bound(bound.expect("binding plugins don't panic"));
            }
            while self.writes.try_join_next().is_some() {}
            if self.bindings.len() < MAX_BINDINGS
                && let Some(pod) = self.queue.pop(Instant::now())
            {
                self.cycle(pod);
                tokio::task::yield_now().await;
                continue;
            }
            let due = self.queue.next_due();
            tokio::select! {
                biased;
                event = nodes.next() => match event {
                    Some(event) => self.on_node(event),
                    None => return,
                },
                event = pods.next() => match event {
                    Some(event) => self.on_pod(event),
                    None => return,
                },
                news = storage.next() => match news {
                    Some(news) => self.on_storage(news),
                    None => return,
                },
                Some(bound) = self.bindings.join_next() => {
                    self.on_bound(bound.expect("binding plugins don't panic"));
                }
                () = sleep_until(due) => {}
            }
        }
    }

    fn on_node(&mut self, event: Event<Node>) {
        let now = Instant::now();
        let changes = match event {
            Event::Added(node) => {
                self.cache.set_node(node.clone());
                vec![Change::node_added(&node)]
            }
            Event::Updated { old, new } => {
                self.cache.set_node(new.clone());
                Change::between(&old, &new)
            }
            Event::Deleted(node) => {
                self.cache.remove_node(&Key::of(&*node).name);
                Vec::new()
            }
        };
        for change in changes {
            self.queue.moved(&change, now);
        }
    }

    fn on_pod(&mut self, event: Event<Pod>) {
        let now = Instant::now();
        let (old, new) = match &event {
            Event::Added(new) => (None, Some(new)),
            Event::Updated { old, new } => (Some(old), Some(new)),
            Event::Deleted(old) => (Some(old), None),
        };
        let key = Key::of(&**event.object());
        match new {
            None => {
                self.cache.remove_pod(&key);
                self.queue.remove(&key);
            }
            Some(pod) => {
                self.cache.set_pod(pod.clone());
                match self.is_wanted(pod) {
                    true => self.queue.set(PodInfo::new(pod.clone()), now),
                    false => self.queue.remove(&key),
                }
            }
        }
        if let Some(event) = assigned_event(old, new) {
            let change = Change::of_pod(event, new.or(old).expect("an event has an object"));
            self.queue.moved(&change, now);
        }
    }

    fn on_storage(&mut self, news: news::News) {
        if let Some(change) = news(self.cache.storage()) {
            self.queue.moved(&change, Instant::now());
        }
    }

    /// Whether the pod waits for a node from one of these profiles. News of a pod that is bound
    /// already may be older than the binding.
    fn is_wanted(&self, pod: &Pod) -> bool {
        if self.cache.is_assumed(pod) && !self.queue.contains(&Key::of(pod)) {
            return false;
        }
        let is_ours = self.scheduler.profiles.contains_key(scheduler_name(pod));
        is_ours && readiness::node_name(pod).is_none() && readiness::is_active(pod)
    }

    /// Decides about one pod, and sets off what follows.
    fn cycle(&mut self, queued: QueuedPod) {
        let pod = queued.info;
        let name = scheduler_name(&pod.pod);
        let profile = self.scheduler.profiles.get(name).cloned();
        let Some(profile) = profile else {
            return self.queue.done(&pod.key);
        };
        self.seed = cycle::scramble(self.seed);
        let options = Options {
            start: self.start,
            seed: self.seed,
            explain: false,
        };
        let snapshot = self.cache.snapshot();
        let decision = cycle::schedule(&profile, &pod, &snapshot, &options);
        self.start = decision.next_start;
        match decision.outcome {
            Outcome::Placed { node, .. } => self.bind(Binding { pod, node, profile }, &snapshot),
            Outcome::Unschedulable(rejections) => self.give_up(&profile, &pod, rejections),
            Outcome::Failed(message) => self.fail(&profile, &pod, Refusal::Failed(message)),
        }
    }

    fn bind(&mut self, binding: Binding, snapshot: &Snapshot) {
        tracing::debug!(pod = %binding.pod.key, node = binding.node, "placed");
        self.cache.assume(binding.pod.clone(), &binding.node);
        match binding.claim(&self.scheduler.waiting, snapshot) {
            Ok(pending) => drop(self.bindings.spawn(binding.run(pending))),
            Err(refusal) => self.on_bound(Bound {
                binding,
                result: Err(refusal),
            }),
        }
    }

    fn on_bound(&mut self, bound: Bound) {
        let Bound { binding, result } = bound;
        let Binding { pod, node, profile } = &binding;
        match result {
            Ok(()) => {
                self.queue.done(&pod.key);
                self.reporters[&profile.scheduler_name].scheduled(pod, node);
            }
            Err(refusal) => {
                binding.release();
                self.cache.forget(&pod.key);
                // What it held is free again.
                let change = Change::of_pod(ClusterEvent::AssignedPodDeleted, &pod.pod);
                self.queue.moved(&change, Instant::now());
                self.fail(profile, pod, refusal);
            }
        }
    }

    fn give_up(&mut self, profile: &Profile, pod: &Arc<PodInfo>, rejections: Box<Rejections>) {
        let why = Return::Rejected(rejections.plugins());
        self.queue.give_back(&pod.key, why, Instant::now());
        let reporter = &self.reporters[&profile.scheduler_name];
        let message = rejections.to_string();
        self.writes
            .spawn(reporter.failed(pod, UNSCHEDULABLE, message));
        if rejections.nominated.is_some() || !rejections.victims.is_empty() {
            self.writes
                .spawn(reporter.clone().make_room(pod.clone(), rejections));
        }
    }

    fn fail(&mut self, profile: &Profile, pod: &Arc<PodInfo>, refusal: Refusal) {
        let (why, reason, message) = match refusal {
            Refusal::Rejected { plugin, message } => {
                let plugins = BTreeSet::from([plugin]);
                (Return::Rejected(plugins), UNSCHEDULABLE, message)
            }
            Refusal::Failed(message) => (Return::Failed, SCHEDULER_ERROR, message),
        };
        self.queue.give_back(&pod.key, why, Instant::now());
        let reporter = &self.reporters[&profile.scheduler_name];
        self.writes.spawn(reporter.failed(pod, reason, message));
    }
}

/// Whose pod it is.
fn scheduler_name(pod: &Pod) -> &str {
    let spec = pod.spec.as_ref();
    let name = spec.and_then(|spec| spec.scheduler_name.as_deref());
    name.unwrap_or(DEFAULT_SCHEDULER)
}

/// What a change means for nodes and their room, if anything.
fn assigned_event(old: Option<&Arc<Pod>>, new: Option<&Arc<Pod>>) -> Option<ClusterEvent> {
    let counts =
        |pod: &&Arc<Pod>| readiness::node_name(pod).is_some() && !readiness::is_terminal(pod);
    match (old.filter(counts), new.filter(counts)) {
        (None, Some(_)) => Some(ClusterEvent::AssignedPodAdded),
        (Some(_), None) => Some(ClusterEvent::AssignedPodDeleted),
        (Some(old), Some(new)) => {
            let is_same = old.spec == new.spec && old.metadata.labels == new.metadata.labels;
            (!is_same).then_some(ClusterEvent::AssignedPodUpdated)
        }
        (None, None) => None,
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
