//! Keeping the node's object true: registration, status, lease.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use k8s_openapi::api::{
    coordination::v1::Lease,
    core::v1::{Node, NodeStatus},
};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    lease, register,
    status::{self, Facts},
};
use crate::{
    agent::Agent,
    cri::Version,
    volume::{Device, csi::node_info::NodeInfo},
};

/// How soon a node that isn't ready, or couldn't be reported, is looked at again.
const IMPATIENCE: Duration = Duration::from_millis(100);
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// Reports one node.
pub(crate) struct Reporter {
    agent: Arc<Agent>,
    /// Where the agent's server listens.
    port: Option<u16>,
    nodes: Api<Node>,
    leases: Api<Lease>,
}

impl Reporter {
    pub(crate) fn new(agent: Arc<Agent>, port: Option<u16>) -> Self {
        Self {
            nodes: Api::all(agent.client.clone()),
            leases: Api::namespaced(agent.client.clone(), lease::NAMESPACE),
            agent,
            port,
        }
    }

    /// Reports until cancelled.
    pub(crate) async fn run(self, cancel: CancellationToken) {
        cancel.run_until_cancelled(self.report()).await;
    }

    async fn report(&self) {
        let mut retry = IMPATIENCE;
        loop {
            // Ends when the node's object is gone: then it is made anew.
            if let Err(error) = self.report_one_life().await {
                tracing::debug!(%error, "node not reported");
                tokio::time::sleep(retry).await;
                retry = (retry * 2).min(LONGEST_RETRY);
            } else {
                retry = IMPATIENCE;
            }
        }
    }

    async fn report_one_life(&self) -> Result<(), kube::Error> {
        let config = &self.agent.config;
        let in_use = self.agent.volumes.in_use();
        let first = self.look(&NodeStatus::default(), &in_use).await;
        let node = register::register(&self.nodes, config, first).await?;
        let uid = node.metadata.uid.clone().unwrap_or_default();
        self.agent.allocations.set_node(Arc::new(node.clone()));
        let mut base = node.status.unwrap_or_default();
        if !self.agent.runtime.is_simulated() {
            let drivers = NodeInfo::new(self.agent.client.clone(), &config.name);
            drivers.publish().await?;
        }
        let mut reported = Instant::now();
        let mut next_lease = Instant::now();
        // Nodes of one process take turns.
        let mut next_status = Instant::now();
        loop {
            if next_status <= Instant::now() {
                let in_use = self.agent.volumes.in_use();
                let new = self.look(&base, &in_use).await;
                let is_due = reported.elapsed() >= config.status_report_interval;
                if is_due || status::differs(&base, &new) {
                    let change = serde_json::json!({"status": new});
                    let params = PatchParams::default();
                    let patch = Patch::Strategic(change);
                    match self.nodes.patch_status(&config.name, &params, &patch).await {
                        Ok(node) => {
                            base = node.status.clone().unwrap_or_default();
                            self.agent.allocations.set_node(Arc::new(node));
                        }
                        Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(()),
                        Err(error) => return Err(error),
                    }
                    reported = Instant::now();
                }
                self.agent.volumes.reported(in_use);
                let pause = if status::is_ready(&new) {
                    config.status_interval
                } else {
                    IMPATIENCE
                };
                next_status = Instant::now() + pause;
            }
            if next_lease <= Instant::now() {
                lease::renew(&self.leases, &config.name, &uid, self.agent.now()).await?;
                next_lease = Instant::now() + config.lease_interval;
            }
            tokio::select! {
                () = tokio::time::sleep_until(next_status.min(next_lease)) => {}
                // Whoever waits for it to be told can't go on.
                () = self.agent.volumes.use_changed() => next_status = Instant::now(),
            }
        }
    }

    async fn look(&self, base: &NodeStatus, in_use: &BTreeSet<Device>) -> NodeStatus {
        let runtime = &self.agent.runtime;
        let version = runtime.version().await.unwrap_or_else(|_| Version {
            name: self.agent.runtime_name.clone(),
            version: String::new(),
        });
        status::status(&Facts {
            config: &self.agent.config,
            machine: &self.agent.machine,
            port: self.port,
            runtime: &runtime.conditions().await,
            version: &version,
            volumes: in_use,
            images: &runtime.images().await.unwrap_or_default(),
            pressures: &self.agent.allocations.pressures(),
            base,
            now: self.agent.now(),
        })
    }
}
