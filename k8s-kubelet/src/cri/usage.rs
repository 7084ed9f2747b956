//! What pods use, as a runtime counts it.

use std::path::PathBuf;

use jiff::Timestamp;

use super::{api, label};
use crate::usage::{Cpu, Interface, Memory, Network, Size};

/// What a pod with running containers uses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodUsage {
    /// The pod's uid.
    pub uid: String,
    /// Its network namespace, if the runtime looks into it.
    pub network: Option<Network>,
    /// Its processes, if the runtime counts them.
    pub processes: Option<u64>,
    /// Its running containers.
    pub containers: Vec<ContainerUsage>,
}

/// What a running container uses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerUsage {
    /// The runtime's id.
    pub id: String,
    /// The container's name in the pod's spec.
    pub name: String,
    /// Processor time.
    pub cpu: Option<Cpu>,
    /// Memory.
    pub memory: Option<Memory>,
    /// Its writable layer.
    pub layer: Option<Size>,
}

/// Where a runtime keeps images, and what they take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageDisk {
    /// A directory of the file system.
    pub path: PathBuf,
    /// What images take of it.
    pub size: Size,
}

/// Pods out of figures of containers alone.
pub(super) fn by_pod(stats: Vec<api::ContainerStats>) -> Vec<PodUsage> {
    let mut pods: Vec<PodUsage> = Vec::new();
    for container in stats {
        let attributes = container.attributes.as_ref();
        let uid = attributes.and_then(|attributes| attributes.labels.get(label::POD_UID));
        let Some(uid) = uid.cloned() else { continue };
        let usage = container.into();
        match pods.iter_mut().find(|pod| pod.uid == uid) {
            Some(pod) => pod.containers.push(usage),
            None => pods.push(PodUsage {
                uid,
                containers: vec![usage],
                ..PodUsage::default()
            }),
        }
    }
    pods
}

impl From<api::PodSandboxStats> for PodUsage {
    fn from(stats: api::PodSandboxStats) -> Self {
        let attributes = stats.attributes.unwrap_or_default();
        let linux = stats.linux.unwrap_or_default();
        Self {
            uid: attributes.metadata.unwrap_or_default().uid,
            network: linux.network.and_then(network),
            processes: linux
                .process
                .and_then(|process| value(process.process_count)),
            containers: linux.containers.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<api::ContainerStats> for ContainerUsage {
    fn from(stats: api::ContainerStats) -> Self {
        let attributes = stats.attributes.unwrap_or_default();
        let labelled = attributes.labels.get(label::CONTAINER_NAME).cloned();
        Self {
            id: attributes.id,
            name: labelled.unwrap_or_else(|| attributes.metadata.unwrap_or_default().name),
            cpu: stats.cpu.and_then(cpu),
            memory: stats.memory.and_then(memory),
            layer: stats.writable_layer.map(|layer| size(&layer)),
        }
    }
}

impl ImageDisk {
    pub(super) fn of(usage: &api::FilesystemUsage) -> Option<Self> {
        let mountpoint = &usage.fs_id.as_ref()?.mountpoint;
        Some(Self {
            path: mountpoint.into(),
            size: size(usage),
        })
    }
}

fn cpu(usage: api::CpuUsage) -> Option<Cpu> {
    Some(Cpu {
        time: time(usage.timestamp)?,
        usage_nano_cores: value(usage.usage_nano_cores),
        usage_core_nano_seconds: value(usage.usage_core_nano_seconds)?,
    })
}

fn memory(usage: api::MemoryUsage) -> Option<Memory> {
    Some(Memory {
        time: time(usage.timestamp)?,
        available_bytes: value(usage.available_bytes).filter(|bytes| *bytes > 0),
        usage_bytes: value(usage.usage_bytes),
        working_set_bytes: value(usage.working_set_bytes),
        rss_bytes: value(usage.rss_bytes),
        page_faults: value(usage.page_faults),
        major_page_faults: value(usage.major_page_faults),
    })
}

fn network(usage: api::NetworkUsage) -> Option<Network> {
    Some(Network {
        time: time(usage.timestamp)?,
        default: usage.default_interface.map(interface),
        interfaces: usage.interfaces.into_iter().map(interface).collect(),
    })
}

fn interface(usage: api::NetworkInterfaceUsage) -> Interface {
    let count = |figure| value(figure).unwrap_or_default();
    Interface {
        name: usage.name,
        rx_bytes: count(usage.rx_bytes),
        rx_errors: count(usage.rx_errors),
        tx_bytes: count(usage.tx_bytes),
        tx_errors: count(usage.tx_errors),
    }
}

fn size(usage: &api::FilesystemUsage) -> Size {
    Size {
        bytes: value(usage.used_bytes).unwrap_or_default(),
        inodes: value(usage.inodes_used).unwrap_or_default(),
    }
}

fn value(figure: Option<api::UInt64Value>) -> Option<u64> {
    figure.map(|figure| figure.value)
}

fn time(nanos: i64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(nanos.into()).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn containers_of_one_pod_come_together_and_strangers_are_left_out() {
        let stats = |id: &str, pod: Option<&str>| {
            let name = (label::CONTAINER_NAME.to_owned(), format!("c-{id}"));
            let pod = pod.map(|uid| (label::POD_UID.to_owned(), uid.to_owned()));
            api::ContainerStats {
                attributes: Some(api::ContainerAttributes {
                    id: id.to_owned(),
                    labels: BTreeMap::from_iter(pod.into_iter().chain([name])),
                    ..Default::default()
                }),
                ..Default::default()
            }
        };
        let pods = by_pod(vec![
            stats("1", Some("a")),
            stats("2", Some("b")),
            stats("3", Some("a")),
            stats("4", None),
        ]);
        let names = |pod: &PodUsage| -> Vec<String> {
            let names = pod.containers.iter().map(|each| each.name.clone());
            names.collect()
        };
        let found: Vec<_> = pods.iter().map(|pod| (&*pod.uid, names(pod))).collect();
        let expected = [
            ("a", vec!["c-1".to_owned(), "c-3".to_owned()]),
            ("b", vec!["c-2".to_owned()]),
        ];
        assert_eq!(found, expected);
    }
}
