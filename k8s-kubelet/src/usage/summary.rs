//! Putting figures together. Pure.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_apimachinery::quantity::Quantity;
use k8s_openapi::api::core::v1::Pod;

use super::figure::{
    self, ClaimRef, Container, Cpu, Disk, Memory, Network, Node, PodRef, ProcessCount, Processes,
    RuntimeDisk, Size, Summary, Volume,
};
use crate::{
    cri::{ContainerUsage, PodUsage},
    pleg::PodView,
    resource::GroupUsage,
    volume::VolumeUsage,
};

/// What was found out about the node.
#[derive(Debug)]
pub(super) struct NodeFacts {
    pub(super) name: String,
    pub(super) since: Timestamp,
    pub(super) cpu: Cpu,
    pub(super) memory: Memory,
    pub(super) network: Option<Network>,
    pub(super) disk: Option<Disk>,
    pub(super) images: Option<Disk>,
    pub(super) processes: Processes,
}

/// What was found out about a pod.
#[derive(Debug)]
pub(super) struct PodFacts {
    pub(super) pod: Arc<Pod>,
    pub(super) used: PodUsage,
    pub(super) group: Option<GroupUsage>,
    pub(super) view: Arc<PodView>,
    /// What logs take, by container.
    pub(super) logs: Vec<(String, Size)>,
    pub(super) volumes: Vec<VolumeFacts>,
    /// What is behind claims, and on file systems of its own.
    pub(super) claims: Vec<VolumeUsage>,
}

/// What was found out about a volume.
#[derive(Debug)]
pub(super) struct VolumeFacts {
    pub(super) name: String,
    pub(super) size: Size,
    /// Rather than in memory.
    pub(super) is_on_disk: bool,
}

/// All of it together.
pub(super) fn summary(node: NodeFacts, pods: Vec<PodFacts>, now: Timestamp) -> Summary {
    let disk = node.disk.unwrap_or_default();
    let layers = node.images.unwrap_or(disk);
    Summary {
        pods: pods
            .into_iter()
            .map(|facts| pod(facts, disk, layers, now))
            .collect(),
        node: Node {
            node_name: node.name,
            start_time: node.since,
            cpu: node.cpu,
            memory: node.memory,
            network: node.network,
            fs: node.disk,
            runtime: RuntimeDisk {
                image_fs: node.images,
            },
            rlimit: node.processes,
        },
    }
}

fn pod(facts: PodFacts, disk: Disk, layers: Disk, now: Timestamp) -> figure::Pod {
    let taken = on_disk(&facts);
    let limits = Limits(&facts.pod);
    let meta = &facts.pod.metadata;
    let containers: Vec<Container> = facts
        .used
        .containers
        .iter()
        .map(|used| container(used, &facts, &limits, (disk, layers), now))
        .collect();
    let sandbox = facts.view.sandboxes.first();
    let made =
        sandbox.and_then(|sandbox| Timestamp::from_nanosecond(sandbox.created_at.into()).ok());
    let claims = facts.claims.into_iter().map(|usage| Volume {
        name: usage.name,
        claim: usage.claim.map(|name| ClaimRef {
            name,
            namespace: meta.namespace.clone().unwrap_or_default(),
        }),
        disk: Disk {
            time: now,
            ..usage.disk
        },
    });
    figure::Pod {
        pod_ref: PodRef {
            name: meta.name.clone().unwrap_or_default(),
            namespace: meta.namespace.clone().unwrap_or_default(),
            uid: facts.used.uid.clone(),
        },
        start_time: made.unwrap_or(now),
        cpu: match facts.group {
            Some(group) => Some(Cpu {
                time: now,
                usage_nano_cores: None,
                usage_core_nano_seconds: group.cpu_nanos,
            }),
            None => sum_cpu(&containers),
        },
        memory: match facts.group {
            Some(group) => Some(group_memory(group, limits.of_pod(), now)),
            None => sum_memory(&containers),
        },
        network: facts.used.network,
        volumes: facts
            .volumes
            .into_iter()
            .map(|volume| Volume {
                disk: disk.taken(volume.size),
                name: volume.name,
                claim: None,
            })
            .chain(claims)
            .collect(),
        ephemeral_storage: Some(disk.taken(taken)).filter(|_| taken != Size::default()),
        processes: facts
            .used
            .processes
            .map(|process_count| ProcessCount { process_count }),
        containers,
    }
}

/// What layers, logs and volumes take of the node's disk.
fn on_disk(facts: &PodFacts) -> Size {
    let layers = facts.used.containers.iter().filter_map(|each| each.layer);
    let logs = facts.logs.iter().map(|(_, size)| *size);
    let volumes = facts.volumes.iter().filter(|volume| volume.is_on_disk);
    let mut sum = Size::default();
    for size in layers.chain(logs).chain(volumes.map(|volume| volume.size)) {
        sum += size;
    }
    sum
}

fn container(
    used: &ContainerUsage,
    facts: &PodFacts,
    limits: &Limits<'_>,
    (disk, layers): (Disk, Disk),
    now: Timestamp,
) -> Container {
    let run = facts.view.container(&used.id);
    let log = facts.logs.iter().find(|(name, _)| *name == used.name);
    let memory = used.memory.map(|memory| Memory {
        available_bytes: memory.available_bytes.or_else(|| {
            let limit = limits.of(&used.name)?;
            Some(limit.saturating_sub(memory.working_set_bytes?))
        }),
        ..memory
    });
    Container {
        name: used.name.clone(),
        start_time: run.and_then(|run| run.started_at).unwrap_or(now),
        cpu: used.cpu,
        memory,
        rootfs: used.layer.map(|size| layers.taken(size)),
        logs: log.map(|(_, size)| disk.taken(*size)),
    }
}

fn group_memory(group: GroupUsage, limit: Option<u64>, now: Timestamp) -> Memory {
    let working_set = group.memory.saturating_sub(group.inactive_files);
    Memory {
        time: now,
        available_bytes: limit.map(|limit| limit.saturating_sub(working_set)),
        usage_bytes: Some(group.memory),
        working_set_bytes: Some(working_set),
        ..Memory::default()
    }
}

fn sum_cpu(containers: &[Container]) -> Option<Cpu> {
    let all = containers.iter().filter_map(|container| container.cpu);
    all.reduce(|sum, cpu| Cpu {
        time: sum.time.max(cpu.time),
        usage_nano_cores: sum
            .usage_nano_cores
            .zip(cpu.usage_nano_cores)
            .map(|(a, b)| a + b),
        usage_core_nano_seconds: sum.usage_core_nano_seconds + cpu.usage_core_nano_seconds,
    })
}

fn sum_memory(containers: &[Container]) -> Option<Memory> {
    let all = containers.iter().filter_map(|container| container.memory);
    let plus = |a: Option<u64>, b: Option<u64>| a.zip(b).map(|(a, b)| a + b);
    all.reduce(|sum, memory| Memory {
        time: sum.time.max(memory.time),
        available_bytes: plus(sum.available_bytes, memory.available_bytes),
        usage_bytes: plus(sum.usage_bytes, memory.usage_bytes),
        working_set_bytes: plus(sum.working_set_bytes, memory.working_set_bytes),
        rss_bytes: plus(sum.rss_bytes, memory.rss_bytes),
        page_faults: plus(sum.page_faults, memory.page_faults),
        major_page_faults: plus(sum.major_page_faults, memory.major_page_faults),
    })
}

/// The memory that a pod and its containers may use.
struct Limits<'a>(&'a Pod);

impl Limits<'_> {
    /// A container's limit, in bytes.
    fn of(&self, name: &str) -> Option<u64> {
        let spec = self.0.spec.as_ref()?;
        let mut all = spec
            .containers
            .iter()
            .chain(spec.init_containers.iter().flatten());
        let container = all.find(|container| container.name == name)?;
        let limit = container
            .resources
            .as_ref()?
            .limits
            .as_ref()?
            .get("memory")?;
        u64::try_from(limit.0.parse::<Quantity>().ok()?.value()).ok()
    }

    /// The limit of the whole, if all its containers have one.
    fn of_pod(&self) -> Option<u64> {
        let spec = self.0.spec.as_ref()?;
        let limits = spec.containers.iter().map(|each| self.of(&each.name));
        limits.sum()
    }
}

impl Summary {
    /// Every counter of processor time, under a name of its own.
    pub(super) fn counters(&mut self) -> impl Iterator<Item = (String, &mut Cpu)> {
        let node = std::iter::once((String::new(), &mut self.node.cpu));
        let pods = self.pods.iter_mut().flat_map(|pod| {
            let uid = pod.pod_ref.uid.clone();
            let of_pod = pod.cpu.iter_mut().map({
                let uid = uid.clone();
                move |cpu| (uid.clone(), cpu)
            });
            let of_containers = pod.containers.iter_mut().filter_map(move |container| {
                let name = format!("{uid}/{}", container.name);
                Some((name, container.cpu.as_mut()?))
            });
            of_pod.chain(of_containers)
        });
        node.chain(pods)
    }
}

#[cfg(test)]
mod tests;
