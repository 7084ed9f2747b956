//! The round: look, decide, reclaim, put out.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ObjectReference, Pod};
use tokio_util::sync::CancellationToken;

use super::{
    Eviction, Scarce, Signal, Threshold, local_storage, message,
    rank::{self, Candidate},
    starved::{self, Memory, Observations},
};
use crate::{
    agent::Agent,
    allocation::is_critical,
    event::Event,
    pod::{cleanup, status::Reason},
    usage::{Headroom, Summary},
};

/// How often the machine is looked at.
const INTERVAL: Duration = Duration::from_secs(10);
/// How long the next round waits for pods that were put out, and how often it looks for them.
const CLEANUP: Duration = Duration::from_secs(30);
const CLEANUP_LOOK: Duration = Duration::from_secs(1);
/// How long a pod may take to end when the node needs its resources at once.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Protects the node until cancelled.
pub(crate) async fn run(agent: Arc<Agent>, thresholds: Vec<Threshold>, cancel: CancellationToken) {
    let mut manager = Manager {
        agent,
        thresholds,
        memory: Memory::default(),
    };
    let work = async {
        loop {
            let evicted = manager.round().await;
            if evicted.is_empty() {
                tokio::time::sleep(INTERVAL).await;
            } else {
                manager.await_cleanup(&evicted).await;
            }
        }
    };
    cancel.run_until_cancelled(work).await;
}

struct Manager {
    agent: Arc<Agent>,
    thresholds: Vec<Threshold>,
    memory: Memory,
}

impl Manager {
    /// Returns the pods (by uid) that were put out.
    async fn round(&mut self) -> Vec<String> {
        let agent = self.agent.clone();
        let headroom = match Headroom::look(&agent).await {
            Ok(headroom) => headroom,
            Err(error) => {
                tracing::warn!(%error, "the machine can't be looked at");
                return Vec::new();
            }
        };
        let observations = starved::observe(&headroom);
        let transition = agent.config.eviction.pressure_transition_period;
        let now = agent.now();
        let verdict = self
            .memory
            .look(&self.thresholds, &observations, transition, now);
        agent.allocations.set_pressures(verdict.pressures);

        let pods = agent.allocations.active();
        let is_limited = pods.iter().any(|pod| local_storage::is_limited(pod));
        if verdict.starved.is_empty() && !is_limited {
            // Pods are only looked at, directory by directory, when it matters.
            return Vec::new();
        }
        let summary = match agent.usage.look(&agent, pods.clone()).await {
            Ok(summary) => summary,
            Err(error) => {
                tracing::warn!(%error, "pods can't be looked at");
                return Vec::new();
            }
        };
        let evicted = self
            .enforce_limits(&pods, &summary, headroom.is_split)
            .await;
        if !evicted.is_empty() {
            return evicted;
        }
        let Some(first) = verdict.starved.first() else {
            return Vec::new();
        };
        let scarce = first.signal.scarce();
        let text = format!("Attempting to reclaim {}", scarce.as_str());
        agent.warning(self.node(), "EvictionThresholdMet", text);
        if self.reclaim(first.signal, headroom.is_split, now).await {
            return Vec::new();
        }
        let evicted = self
            .give_way(first, &verdict.starved, &pods, &summary, &headroom)
            .await;
        evicted.into_iter().collect()
    }

    /// Puts out pods that are over limits of their own.
    async fn enforce_limits(
        &self,
        pods: &[Arc<Pod>],
        summary: &Summary,
        is_split: bool,
    ) -> Vec<String> {
        let mut evicted = Vec::new();
        for pod in pods.iter().filter(|pod| !is_critical(pod)) {
            let usage = usage_of(summary, pod);
            let excess = usage.and_then(|usage| local_storage::excess(pod, usage, is_split));
            if let Some(message) = excess {
                evicted.push(self.evict(pod, message, AT_ONCE, false).await);
            }
        }
        evicted
    }

    /// Removes what nobody needs, where that helps; whether it was enough.
    async fn reclaim(&self, signal: Signal, is_split: bool, now: Timestamp) -> bool {
        let is_disk = matches!(signal.scarce(), Scarce::EphemeralStorage | Scarce::Inodes);
        let is_elsewhere =
            is_split && matches!(signal, Signal::NodeFsAvailable | Signal::NodeFsInodesFree);
        if !is_disk || is_elsewhere {
            return false;
        }
        cleanup::dead_containers(&self.agent).await;
        if let Err(error) = self.agent.collector.free_all(&self.agent, now).await {
            tracing::warn!(%error, "unused images stay");
        }
        let Ok(headroom) = Headroom::look(&self.agent).await else {
            return false;
        };
        let observations = starved::observe(&headroom);
        starved::low(&self.thresholds, &observations, true).is_empty()
    }

    /// Puts out the first pod that may be.
    async fn give_way(
        &self,
        threshold: &Threshold,
        starved: &[Threshold],
        pods: &[Arc<Pod>],
        summary: &Summary,
        headroom: &Headroom,
    ) -> Option<String> {
        let candidates = pods.iter().filter(|pod| !is_critical(pod));
        let mut candidates: Vec<_> = candidates
            .map(|pod| Candidate {
                pod,
                usage: usage_of(summary, pod),
            })
            .collect();
        rank::rank(&mut candidates, threshold.signal, headroom.is_split);
        let Some(first) = candidates.first() else {
            tracing::warn!(signal = threshold.signal.as_str(), "no pod may be evicted");
            return None;
        };
        let grace = if threshold.is_hard() {
            AT_ONCE
        } else {
            self.agent.config.eviction.max_pod_grace_period
        };
        let scarce = threshold.signal.scarce();
        let observations: Observations = starved::observe(headroom);
        let message = message::message(scarce, first.pod, first.usage, starved, &observations);
        Some(self.evict(first.pod, message, grace, true).await)
    }

    async fn evict(
        &self,
        pod: &Pod,
        message: String,
        grace: Duration,
        is_disruption: bool,
    ) -> String {
        let about = k8s_runtime::reference(pod);
        self.agent.warning(about, "Evicted", message.clone());
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let eviction = Eviction {
            reason: Reason::new("Evicted", message),
            grace,
            is_disruption,
        };
        let event = Event::Evict {
            uid: uid.clone(),
            eviction,
        };
        let _ = self.agent.events.send(event).await;
        uid
    }

    async fn await_cleanup(&self, evicted: &[String]) {
        let gone = async {
            while evicted
                .iter()
                .any(|uid| self.agent.allocations.is_active(uid))
            {
                tokio::time::sleep(CLEANUP_LOOK).await;
            }
        };
        if tokio::time::timeout(CLEANUP, gone).await.is_err() {
            tracing::warn!(?evicted, "evicted pods have not ended yet");
        }
    }

    fn node(&self) -> ObjectReference {
        k8s_runtime::reference(&*self.agent.allocations.node())
    }
}

fn usage_of<'a>(summary: &'a Summary, pod: &Pod) -> Option<&'a crate::usage::Pod> {
    let uid = pod.metadata.uid.as_deref().unwrap_or_default();
    summary.pods.iter().find(|usage| usage.pod_ref.uid == uid)
}
