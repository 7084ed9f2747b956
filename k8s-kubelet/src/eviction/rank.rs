//! Which pod gives way first. Pure.

use std::{cmp::Reverse, sync::Arc};

use k8s_apimachinery::pod::request::{self, Resources};
use k8s_openapi::api::core::v1::{Pod, Volume};

use super::{Scarce, Signal};
use crate::{allocation::asked, usage};

/// A pod that may give way, and what it uses, if that is known.
#[derive(Clone)]
pub(super) struct Candidate<'a> {
    pub(super) pod: &'a Arc<Pod>,
    pub(super) usage: Option<&'a usage::Pod>,
}

/// What counts of a pod's use of disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Measured {
    layers: bool,
    logs_and_volumes: bool,
}

/// Puts the pods in the order in which they give way. Those whose use isn't known come first; then those that use
/// more than they requested, by priority, by how much more they use. For process ids only priority and use count.
pub(super) fn rank(pods: &mut [Candidate<'_>], signal: Signal, is_split: bool) {
    let measured = Measured {
        layers: !is_split || matches!(signal, Signal::ImageFsAvailable | Signal::ImageFsInodesFree),
        logs_and_volumes: !is_split
            || matches!(signal, Signal::NodeFsAvailable | Signal::NodeFsInodesFree),
    };
    let scarce = signal.scarce();
    pods.sort_by_cached_key(|candidate| {
        let priority = candidate.pod.spec.as_ref().and_then(|spec| spec.priority);
        let priority = priority.unwrap_or(0);
        let Some(usage) = candidate.usage else {
            return (false, false, priority, Reverse(0));
        };
        if scarce == Scarce::Pids {
            let processes = usage.processes.map_or(0, |count| count.process_count);
            return (true, false, priority, Reverse(signed(processes)));
        }
        let requests = request::requests(&asked(candidate.pod));
        let used = used(candidate.pod, usage, scarce, measured);
        let exceeds = used > requested(&requests, scarce);
        // An excess of inodes is told from bytes requested, as Kubernetes does.
        let base = match scarce {
            Scarce::Memory => requests.memory,
            _ => requests.ephemeral_storage,
        };
        (true, !exceeds, priority, Reverse(used.saturating_sub(base)))
    });
}

fn requested(requests: &Resources, scarce: Scarce) -> i64 {
    match scarce {
        Scarce::Memory => requests.memory,
        Scarce::EphemeralStorage => requests.ephemeral_storage,
        Scarce::Inodes | Scarce::Pids => 0,
    }
}

fn used(pod: &Pod, usage: &usage::Pod, scarce: Scarce, measured: Measured) -> i64 {
    if scarce == Scarce::Memory {
        let memory = usage.memory.and_then(|memory| memory.working_set_bytes);
        return signed(memory.unwrap_or_default());
    }
    let amount = |disk: &usage::Disk| {
        let amount = match scarce {
            Scarce::Inodes => disk.inodes_used,
            _ => disk.used_bytes,
        };
        amount.unwrap_or_default()
    };
    let mut sum = 0_u64;
    for container in &usage.containers {
        if measured.layers {
            sum += container.rootfs.as_ref().map_or(0, amount);
        }
        if measured.logs_and_volumes {
            sum += container.logs.as_ref().map_or(0, amount);
        }
    }
    if measured.logs_and_volumes {
        let spec = pod.spec.iter();
        let volumes = spec.flat_map(|spec| spec.volumes.iter().flatten());
        for volume in volumes.filter(|volume| is_local(volume)) {
            let found = usage.volumes.iter().find(|found| found.name == volume.name);
            sum += found.map_or(0, |found| amount(&found.disk));
        }
    }
    signed(sum)
}

/// Whether a volume's files are on the node's own disk.
fn is_local(volume: &Volume) -> bool {
    let scratch = volume.empty_dir.as_ref();
    volume.host_path.is_some()
        || volume.config_map.is_some()
        || volume.downward_api.is_some()
        || scratch.is_some_and(|scratch| scratch.medium.as_deref().unwrap_or_default().is_empty())
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::usage::{Container, Disk, Memory, PodRef, ProcessCount};

    /// A pod with a container `c`.
    pub(in crate::eviction) fn pod(name: &str, priority: i32, requests: Value) -> Arc<Pod> {
        let pod = json!({
            "metadata": {"name": name, "uid": name},
            "spec": {"priority": priority, "containers": [
                {"name": "c", "resources": {"requests": requests}},
            ]},
        });
        Arc::new(serde_json::from_value(pod).unwrap())
    }

    fn disk(used: u64) -> Disk {
        Disk {
            used_bytes: Some(used),
            inodes_used: Some(used),
            ..Disk::default()
        }
    }

    /// So much of memory, layer and logs.
    pub(in crate::eviction) fn using(name: &str, memory: u64, layer: u64, logs: u64) -> usage::Pod {
        let memory = Memory {
            working_set_bytes: Some(memory),
            ..Memory::default()
        };
        usage::Pod {
            pod_ref: PodRef {
                name: name.to_owned(),
                uid: name.to_owned(),
                ..PodRef::default()
            },
            start_time: Timestamp::UNIX_EPOCH,
            containers: vec![Container {
                name: "c".into(),
                start_time: Timestamp::UNIX_EPOCH,
                cpu: None,
                memory: Some(memory),
                rootfs: Some(disk(layer)),
                logs: Some(disk(logs)),
            }],
            cpu: None,
            memory: Some(memory),
            network: None,
            volumes: Vec::new(),
            ephemeral_storage: Some(disk(layer + logs)),
            processes: None,
        }
    }

    #[track_caller]
    fn check(signal: Signal, is_split: bool, pods: &[(Arc<Pod>, Option<usage::Pod>)], order: &str) {
        let mut candidates: Vec<_> = pods
            .iter()
            .map(|(pod, usage)| Candidate {
                pod,
                usage: usage.as_ref(),
            })
            .collect();
        rank(&mut candidates, signal, is_split);
        let found: Vec<_> = candidates
            .iter()
            .map(|candidate| candidate.pod.metadata.name.as_deref().unwrap())
            .collect();
        assert_eq!(found.join(" "), order);
    }

    #[test]
    fn those_over_their_request_go_first_whatever_their_priority() {
        let memory = |amount: &str| json!({"memory": amount});
        check(
            Signal::MemoryAvailable,
            false,
            &[
                (pod("modest", 0, memory("1000")), Some(using("", 900, 0, 0))),
                (pod("greedy", 9, memory("100")), Some(using("", 101, 0, 0))),
                (
                    pod("greedier", 9, memory("100")),
                    Some(using("", 500, 0, 0)),
                ),
                (pod("lowly", 1, memory("100")), Some(using("", 101, 0, 0))),
                (pod("unknown", 9, memory("100")), None),
            ],
            "unknown lowly greedier greedy modest",
        );
    }

    #[test]
    fn each_disk_counts_what_is_on_it() {
        let pods = [
            (pod("layered", 0, json!({})), Some(using("", 0, 100, 1))),
            (pod("chatty", 0, json!({})), Some(using("", 0, 1, 50))),
            (
                pod("entitled", 0, json!({"ephemeral-storage": "1Ki"})),
                Some(using("", 0, 200, 200)),
            ),
        ];
        check(
            Signal::NodeFsAvailable,
            false,
            &pods,
            "layered chatty entitled",
        );
        check(
            Signal::NodeFsAvailable,
            true,
            &pods,
            "chatty layered entitled",
        );
        check(
            Signal::ImageFsAvailable,
            true,
            &pods,
            "layered chatty entitled",
        );
        // Nobody requests inodes.
        check(
            Signal::NodeFsInodesFree,
            false,
            &pods,
            "layered chatty entitled",
        );
    }

    #[test]
    fn for_process_ids_priority_comes_before_use() {
        let with = |count: u64| {
            let mut usage = using("", 0, 0, 0);
            usage.processes = Some(ProcessCount {
                process_count: count,
            });
            Some(usage)
        };
        check(
            Signal::PidAvailable,
            false,
            &[
                (pod("important", 5, json!({})), with(500)),
                (pod("calm", 0, json!({})), with(3)),
                (pod("busy", 0, json!({})), with(7)),
            ],
            "busy calm important",
        );
    }
}
