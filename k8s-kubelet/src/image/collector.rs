//! Removing images that nobody uses when their disk is full, or when they are too old.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::collect::{self, Records};
use crate::{agent::Agent, cri::RuntimeError, usage::Headroom};

/// How often images are looked at.
const INTERVAL: Duration = Duration::from_secs(300);

/// Watches a node's images.
#[derive(Default)]
pub(crate) struct Collector {
    records: Mutex<Records>,
}

/// Collects images until cancelled.
pub(crate) async fn run(agent: Arc<Agent>, cancel: CancellationToken) {
    let work = async {
        loop {
            if let Err(error) = agent.collector.round(&agent).await {
                tracing::warn!(%error, "images can't be collected");
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    cancel.run_until_cancelled(work).await;
}

impl Collector {
    async fn round(&self, agent: &Arc<Agent>) -> Result<(), RuntimeError> {
        let now = agent.now();
        let config = &agent.config.image_collection;
        self.look(agent, now).await?;
        let expired = self.with(|records| records.expired(config, now));
        self.remove(agent, expired, u64::MAX).await;
        let disk = Headroom::look(agent).await?.images.unwrap_or_default();
        let Some(excess) = collect::excess(&disk, config) else {
            return Ok(());
        };
        let unused = self.with(|records| records.unused(config, now));
        let freed = self.remove(agent, unused, excess).await;
        if freed < excess {
            let message = format!(
                "Failed to garbage collect required amount of images. Attempted to free {excess} bytes, \
                 but only found {freed} bytes eligible to free."
            );
            let node = k8s_runtime::reference(&*agent.allocations.node());
            agent.warning(node, "FreeDiskSpaceFailed", message);
        }
        Ok(())
    }

    /// Removes every image that may go, whatever its disk has left.
    pub(crate) async fn free_all(
        &self,
        agent: &Arc<Agent>,
        now: Timestamp,
    ) -> Result<(), RuntimeError> {
        self.look(agent, now).await?;
        let config = &agent.config.image_collection;
        let unused = self.with(|records| records.unused(config, now));
        self.remove(agent, unused, u64::MAX).await;
        Ok(())
    }

    async fn look(&self, agent: &Agent, now: Timestamp) -> Result<(), RuntimeError> {
        let images = agent.runtime.images().await?;
        let mut in_use = BTreeSet::new();
        for uid in agent.pleg.uids() {
            for run in &agent.pleg.view(&uid).containers {
                in_use.extend([run.image.clone(), run.image_ref.clone()]);
            }
        }
        let config = &agent.config.image_collection;
        self.with(|records| records.note(&images, &in_use, config, now));
        Ok(())
    }

    /// Removes images in this order until so many bytes are free; returns how many are.
    async fn remove(&self, agent: &Agent, images: Vec<(String, u64)>, wanted: u64) -> u64 {
        let mut freed = 0_u64;
        for (id, size) in images {
            if freed >= wanted {
                break;
            }
            if let Err(error) = agent.runtime.remove_image(&id).await {
                tracing::warn!(id, %error, "an image stays");
                continue;
            }
            tracing::info!(id, size, "removed an image that nobody uses");
            self.with(|records| records.forget(&id));
            freed = freed.saturating_add(size);
        }
        freed
    }

    fn with<T>(&self, work: impl FnOnce(&mut Records) -> T) -> T {
        work(&mut self.records.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
