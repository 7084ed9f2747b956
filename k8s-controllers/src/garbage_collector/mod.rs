//! Garbage collection by owner reference: what no owner keeps goes.
//!
//! Every collectable resource is watched, metadata only, into one [`graph`] of owners. When an
//! owner goes, its dependents are looked at ([`plan`]) and, if no other owner keeps them, deleted
//! ([`collector`]): in the background by default; in the foreground, where the owner waits for
//! those that block it; or not at all, where dependents are orphaned. There are no stores here: the
//! graph is all that is kept.

mod collector;
mod graph;
mod plan;
pub(crate) mod resource;

use std::{collections::HashMap, sync::Arc, time::Duration};

use k8s_runtime::{Context, Source, WatchConfig, work};
use kube::{Api, api::DynamicObject, core::PartialObjectMeta};
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinSet},
};

use collector::{Collector, Feed};
use resource::{Resource, Resources};

/// Rounds that may run side by side.
const WORKERS: usize = 16;
/// How often new or removed resources are looked for.
const DISCOVERY_PERIOD: Duration = Duration::from_secs(30);
/// A resource whose list takes longer doesn't hold up the collection of others.
const SYNC_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs the collector until the context is cancelled.
pub async fn run(ctx: Context) {
    let collector = Arc::new(Collector::new(ctx.client.clone()));
    let mut monitors = Monitors {
        ctx: ctx.clone(),
        collector: collector.clone(),
        tasks: JoinSet::new(),
        running: HashMap::new(),
    };
    let body = async {
        monitors.start().await;
        let processed = collector.clone();
        let working = work("garbage collector", &collector.queue, WORKERS, |item| {
            processed.clone().process(item)
        });
        tokio::join!(working, monitors.follow_discovery());
    };
    ctx.cancel.run_until_cancelled(body).await;
}

/// One watch per resource, kept in step with discovery.
struct Monitors {
    ctx: Context,
    collector: Arc<Collector>,
    tasks: JoinSet<()>,
    running: HashMap<String, (AbortHandle, watch::Receiver<bool>)>,
}

impl Monitors {
    /// Starts watching, and waits until the graph shows what there is.
    async fn start(&mut self) {
        while !self.refresh().await {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let synced = self.running.values().map(|(_, synced)| synced.clone());
        let synced: Vec<_> = synced.collect();
        let all = async {
            for mut synced in synced {
                // An error means that the watch has ended; the others count.
                let _ = synced.wait_for(|is_synced| *is_synced).await;
            }
        };
        let _ = tokio::time::timeout(SYNC_TIMEOUT, all).await;
    }

    async fn follow_discovery(&mut self) {
        loop {
            tokio::time::sleep(DISCOVERY_PERIOD).await;
            self.refresh().await;
        }
    }

    /// Starts watches of resources that are new and ends those of resources that are gone.
    async fn refresh(&mut self) -> bool {
        let resources = match Resources::discover(self.ctx.client.clone()).await {
            Ok(resources) => resources,
            Err(error) => {
                tracing::debug!(%error, "discovery failed");
                return false;
            }
        };
        let names: Vec<String> = resources.iter().map(|resource| name(resource)).collect();
        self.running.retain(|name, (task, _)| {
            let is_served = names.contains(name);
            if !is_served {
                task.abort();
            }
            is_served
        });
        for resource in resources.iter() {
            if !self.running.contains_key(&name(resource)) {
                self.watch(resource.clone());
            }
        }
        while self.tasks.try_join_next().is_some() {}
        self.collector.set_resources(resources);
        true
    }

    fn watch(&mut self, resource: Arc<Resource>) {
        let api: Api<PartialObjectMeta<DynamicObject>> =
            Api::all_with(self.ctx.client.clone(), &resource.api);
        let source = Source::new(api, WatchConfig::default());
        let (synced, is_synced) = watch::channel(false);
        let name = name(&resource);
        let mut feed = Feed {
            collector: self.collector.clone(),
            resource,
            synced,
        };
        let cancel = self.ctx.cancel.clone();
        let task = self
            .tasks
            .spawn(async move { source.run(&mut feed, cancel).await });
        self.running.insert(name, (task, is_synced));
    }
}

fn name(resource: &Resource) -> String {
    format!("{}/{}", resource.api.api_version, resource.api.plural)
}
