//! The figures, in the form of `stats/v1alpha1` `Summary`, which `/stats/summary` answers with (k8s.io/kubelet).
//!
//! What is not known is left out.

use jiff::{Timestamp, fmt::temporal::DateTimePrinter};
use serde::{Serialize, Serializer};

/// What the node and its pods use.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// All of the node.
    pub node: Node,
    /// Each pod that has containers.
    pub pods: Vec<Pod>,
}

/// What a node uses, the agent and everything else on it included.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// The node's name.
    pub node_name: String,
    /// Since when the agent counts.
    #[serde(serialize_with = "in_seconds")]
    pub start_time: Timestamp,
    /// Processor time since the machine's start.
    pub cpu: Cpu,
    /// Memory.
    pub memory: Memory,
    /// The network namespace of the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// The file system below the agent's root directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fs: Option<Disk>,
    /// The container runtime.
    pub runtime: RuntimeDisk,
    /// Processes.
    pub rlimit: Processes,
}

/// What the container runtime holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeDisk {
    /// The file system of images; used is what images take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_fs: Option<Disk>,
}

/// The processes of a machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Processes {
    /// When they were counted.
    #[serde(serialize_with = "in_seconds")]
    pub time: Timestamp,
    /// The highest process id.
    #[serde(rename = "maxpid", skip_serializing_if = "Option::is_none")]
    pub max_pid: Option<u64>,
    /// How many tasks there are.
    #[serde(rename = "curproc", skip_serializing_if = "Option::is_none")]
    pub running: Option<u64>,
}

/// What a pod uses.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pod {
    /// Which pod.
    pub pod_ref: PodRef,
    /// When its sandbox was made.
    #[serde(serialize_with = "in_seconds")]
    pub start_time: Timestamp,
    /// Its running containers.
    pub containers: Vec<Container>,
    /// Its group's processor time, the sandbox included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Cpu>,
    /// Its group's memory, the sandbox included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// Its network namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Its volumes that hold files of its own.
    #[serde(rename = "volume", skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
    /// What its containers' layers, logs and volumes take of the node's disk.
    #[serde(rename = "ephemeral-storage", skip_serializing_if = "Option::is_none")]
    pub ephemeral_storage: Option<Disk>,
    /// Its processes.
    #[serde(rename = "process_stats", skip_serializing_if = "Option::is_none")]
    pub processes: Option<ProcessCount>,
}

/// The name of a pod for good.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PodRef {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its uid.
    pub uid: String,
}

/// How many processes a pod has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ProcessCount {
    /// So many.
    pub process_count: u64,
}

/// What one run of a container uses.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// Its name in the pod's spec.
    pub name: String,
    /// When its process started.
    #[serde(serialize_with = "in_seconds")]
    pub start_time: Timestamp,
    /// Processor time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Cpu>,
    /// Memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// Its writable layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rootfs: Option<Disk>,
    /// Its logs, of earlier runs as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs: Option<Disk>,
}

/// Processor time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cpu {
    /// When it was read.
    #[serde(serialize_with = "in_seconds")]
    pub time: Timestamp,
    /// Of late, in billionths of a core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_nano_cores: Option<u64>,
    /// In all, in nanoseconds.
    pub usage_core_nano_seconds: u64,
}

/// Memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// When it was read.
    #[serde(serialize_with = "in_seconds")]
    pub time: Timestamp,
    /// Up to the limit, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_bytes: Option<u64>,
    /// In use, caches included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_bytes: Option<u64>,
    /// In use, without caches of files that were not read of late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_set_bytes: Option<u64>,
    /// Of processes themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_bytes: Option<u64>,
    /// Page faults in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_faults: Option<u64>,
    /// Page faults that had to wait for a disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub major_page_faults: Option<u64>,
}

/// Traffic.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Network {
    /// When it was read.
    #[serde(serialize_with = "in_seconds")]
    pub time: Timestamp,
    /// The interface of the default route.
    #[serde(flatten)]
    pub default: Option<Interface>,
    /// All others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<Interface>,
}

/// The traffic of one interface since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Errors in receiving.
    pub rx_errors: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Errors in sending.
    pub tx_errors: u64,
}

/// A file system, and what something takes of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Disk {
    /// When it was read.
    #[serde(serialize_with = "in_seconds")]
    pub time: Timestamp,
    /// Free bytes of the file system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_bytes: Option<u64>,
    /// Bytes of the file system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity_bytes: Option<u64>,
    /// Bytes taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_bytes: Option<u64>,
    /// Free inodes of the file system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inodes_free: Option<u64>,
    /// Inodes of the file system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inodes: Option<u64>,
    /// Inodes taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inodes_used: Option<u64>,
}

/// A claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClaimRef {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
}

/// A volume that holds files of its pod's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Volume {
    /// Its name in the pod's spec.
    pub name: String,
    /// The claim that the pod names.
    #[serde(rename = "pvcRef", skip_serializing_if = "Option::is_none")]
    pub claim: Option<ClaimRef>,
    /// What it takes.
    #[serde(flatten)]
    pub disk: Disk,
}

impl Disk {
    /// The same file system, of which something takes so much.
    pub(crate) fn taken(self, size: Size) -> Self {
        Self {
            used_bytes: Some(size.bytes),
            inodes_used: Some(size.inodes),
            ..self
        }
    }
}

/// What files take of a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Bytes in blocks.
    pub bytes: u64,
    /// Files and directories.
    pub inodes: u64,
}

impl std::ops::AddAssign for Size {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.inodes += other.inodes;
    }
}

/// As Kubernetes writes times: without fractions.
fn in_seconds<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(0));
    serializer.serialize_str(&PRINTER.timestamp_to_string(time))
}
