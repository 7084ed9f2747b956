//! Looking at everything that has figures.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

use super::{
    Summary, machine,
    rate::Rates,
    summary::{self, NodeFacts, PodFacts, VolumeFacts},
    tree,
};
use crate::{
    agent::Agent,
    cri::{PodUsage, RuntimeError},
    volume::mount,
};

/// Looks at a node, and remembers what it needs to tell speeds.
#[derive(Debug)]
pub(crate) struct Observer {
    since: Timestamp,
    rates: Mutex<Rates>,
}

impl Observer {
    /// An observer that counts from now on.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            since: now,
            rates: Mutex::default(),
        }
    }

    /// What the node and its pods use now.
    pub(crate) async fn look(
        &self,
        agent: &Arc<Agent>,
        pods: Vec<Arc<Pod>>,
    ) -> Result<Summary, RuntimeError> {
        let now = agent.now();
        let used = agent.runtime.usage().await?;
        let images = agent.runtime.image_disk().await?;
        let facts = NodeFacts {
            name: agent.config.name.clone(),
            since: self.since,
            cpu: machine::cpu(now),
            memory: machine::memory(now, agent.machine.memory),
            network: machine::network(now),
            disk: machine::disk(&agent.config.root_dir, now),
            images: images.and_then(|images| {
                let disk = machine::disk(&images.path, now)?;
                Some(disk.taken(images.size))
            }),
            processes: machine::processes(now),
        };
        // Walking directories takes its time.
        let mut claims = HashMap::new();
        for pod in &pods {
            let usage = agent.volumes.usage(pod).await;
            claims.insert(pod.metadata.uid.clone().unwrap_or_default(), usage);
        }
        let agent = agent.clone();
        let pods = tokio::task::spawn_blocking(move || {
            let pods: HashMap<_, _> = pods
                .into_iter()
                .map(|pod| (pod.metadata.uid.clone().unwrap_or_default(), pod))
                .collect();
            let known = used
                .into_iter()
                .filter_map(|used| Some((pods.get(&used.uid)?.clone(), used)));
            known
                .map(|(pod, used)| PodFacts {
                    claims: claims.remove(&used.uid).unwrap_or_default(),
                    ..look_at(&agent, pod, used)
                })
                .collect::<Vec<_>>()
        });
        let pods = pods
            .await
            .map_err(|error| RuntimeError::Failed(error.to_string()))?;
        let mut summary = summary::summary(facts, pods, now);
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        for (counter, cpu) in summary.counters() {
            rates.complete(&counter, now, cpu);
        }
        rates.end(now);
        Ok(summary)
    }
}

/// What the machine itself tells of a pod. Walks directories.
fn look_at(agent: &Agent, pod: Arc<Pod>, used: PodUsage) -> PodFacts {
    let (namespace, name) = (
        pod.metadata.namespace.as_deref().unwrap_or_default(),
        pod.metadata.name.as_deref().unwrap_or_default(),
    );
    let logs = agent.config.pod_logs(namespace, name, &used.uid);
    let logs = used.containers.iter().map(|container| {
        let size = tree::size(&logs.join(&container.name));
        (container.name.clone(), size)
    });
    let places = agent.volumes.places(&pod);
    let volumes = places.into_iter().map(|(name, dir)| VolumeFacts {
        name,
        size: tree::size(&dir),
        is_on_disk: !mount::is_mounted(&dir).unwrap_or_default(),
    });
    let group = agent.cgroups.as_ref().zip(agent.cgroup(&pod));
    PodFacts {
        group: group.and_then(|(groups, group)| groups.usage(&group)),
        view: agent.pleg.view(&used.uid),
        logs: logs.filter(|(_, size)| size.inodes > 0).collect(),
        claims: Vec::new(),
        volumes: volumes.filter(|volume| volume.size.inodes > 0).collect(),
        pod,
        used,
    }
}
