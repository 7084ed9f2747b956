//! Node addresses: each node gets a block of the pod network, and keeps it.
//!
//! The nodes themselves are the only record: a block is taken if a node has it. One round runs at a
//! time, and what it hands out counts as taken before the cache shows it.

mod cidr;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use k8s_openapi::api::core::v1::Node;
use k8s_runtime::{Action, Context, Controller, EventRecorder, Key, Store, reference};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;

pub use cidr::{CidrPool, InvalidPool};

/// Runs the controller over [`CidrPool::DEFAULT`] until the context is cancelled.
pub async fn run(ctx: Context) {
    run_with(ctx, CidrPool::DEFAULT).await;
}

/// Runs the controller over another range until the context is cancelled.
pub async fn run_with(ctx: Context, pool: CidrPool) {
    let nodes = ctx.hub.informer::<Node>();
    let allocator = Arc::new(Allocator {
        nodes: nodes.store(),
        pool,
        handed_out: Mutex::default(),
        events: EventRecorder::new(&ctx, "cidrAllocator"),
        ctx: ctx.clone(),
    });
    Controller::new("node-ipam", ctx)
        .owns_keys(&nodes)
        .run(1, move |key| {
            let round = allocator.clone();
            async move { round.reconcile(key).await }
        })
        .await;
}

struct Allocator {
    ctx: Context,
    nodes: Store<Node>,
    pool: CidrPool,
    /// Blocks given to nodes whose cached state may not show it yet.
    handed_out: Mutex<BTreeMap<Key, String>>,
    events: EventRecorder,
}

impl Allocator {
    async fn reconcile(&self, key: Key) -> Result<Action, kube::Error> {
        let Some(node) = self.nodes.get(&key) else {
            self.handed_out().remove(&key);
            return Ok(Action::Done);
        };
        if !ranges(&node).is_empty() {
            self.handed_out().remove(&key);
            return Ok(Action::Done);
        }
        let Some(block) = self.choose(&key) else {
            let message = format!("Node {key} status is now: CIDRNotAvailable");
            self.events
                .normal(reference(&*node), "CIDRNotAvailable", message);
            tracing::warn!(node = %key, "no block of the pod network is left");
            return Ok(Action::After(std::time::Duration::from_secs(60)));
        };
        let change = json!({
            "metadata": {"uid": node.metadata.uid},
            "spec": {"podCIDR": block, "podCIDRs": [block]},
        });
        let api: Api<Node> = Api::all(self.ctx.client.clone());
        let params = PatchParams::default();
        api.patch(&key.name, &params, &Patch::Strategic(change))
            .await?;
        Ok(Action::Done)
    }

    /// The lowest free block; the same one again for a node whose write failed.
    fn choose(&self, key: &Key) -> Option<String> {
        let mut handed_out = self.handed_out();
        if let Some(known) = handed_out.get(key) {
            return Some(known.clone());
        }
        let nodes = self.nodes.list();
        let in_use = nodes.iter().flat_map(|node| ranges(node));
        let taken: BTreeSet<u64> = in_use
            .chain(handed_out.values().map(String::as_str))
            .filter_map(|range| self.pool.touched(range))
            .flatten()
            .collect();
        let free = (0..self.pool.len()).find(|index| !taken.contains(index))?;
        let block = self.pool.block(free)?;
        handed_out.insert(key.clone(), block.clone());
        Some(block)
    }

    fn handed_out(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, String>> {
        self.handed_out
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn ranges(node: &Node) -> Vec<&str> {
    let Some(spec) = &node.spec else {
        return Vec::new();
    };
    let all = spec.pod_cidrs.iter().flatten().chain(&spec.pod_cidr);
    all.map(String::as_str)
        .filter(|range| !range.is_empty())
        .collect()
}
