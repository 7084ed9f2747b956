//! A node as a value: everything that tells one agent from another.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use k8s_openapi::api::core::v1::Taint;

use crate::{eviction::EvictionConfig, image::ImageCollection, server::ServerTls};

/// What an agent is told about its node. [`NodeConfig::new`] fills in Kubernetes' defaults.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The node's name, and its host name label.
    pub name: String,
    /// Where the agent keeps pods' volumes and files; its own alone.
    pub root_dir: PathBuf,
    /// Where runtimes write container logs; `root_dir/logs` unless set.
    pub log_dir: Option<PathBuf>,
    /// The cgroup above all pods' groups, such as `/kubepods-node1`; without one, runtimes choose.
    pub cgroup_root: Option<String>,
    /// The range that pod addresses come from; told to the API and the runtime when set.
    pub pod_cidr: Option<String>,
    /// The node's address: reported to the API, and the pod address of pods on the host's network.
    pub internal_ip: IpAddr,
    /// The cluster's DNS servers.
    pub cluster_dns: Vec<IpAddr>,
    /// The cluster's DNS domain.
    pub cluster_domain: String,
    /// The node's resolver configuration, for pods that don't use the cluster's.
    pub resolv_conf: PathBuf,
    /// Where the agent's server listens; port 0 takes any.
    pub listen: SocketAddr,
    /// The agent's server's keys; without them there is no server.
    pub tls: Option<ServerTls>,
    /// The size in bytes at which a container's log is rotated.
    pub container_log_max_size: u64,
    /// How many files a container's log may be in, the current one included.
    pub container_log_max_files: usize,
    /// A directory of manifests of static pods, or a single one.
    pub static_pod_path: Option<PathBuf>,
    /// How often it is read although nothing seems to have changed.
    pub file_check_interval: Duration,
    /// When pods give way to what the node needs itself.
    pub eviction: EvictionConfig,
    /// When images are removed that nobody uses.
    pub image_collection: ImageCollection,
    /// How many pods the node takes.
    pub max_pods: u32,
    /// How often the lease is renewed.
    pub lease_interval: Duration,
    /// How often the node's status is looked at, and written if it changed.
    pub status_interval: Duration,
    /// How often the node's status is written although it didn't change.
    pub status_report_interval: Duration,
    /// Labels beside the usual ones, set at registration.
    pub labels: BTreeMap<String, String>,
    /// Taints set at registration.
    pub taints: Vec<Taint>,
    /// Resources that replace those found on the machine, such as `cpu` or `memory`.
    pub capacity: BTreeMap<String, String>,
    /// Resources that are kept for what isn't Kubernetes', such as `memory`.
    pub system_reserved: BTreeMap<String, String>,
    /// Resources that are kept for Kubernetes itself.
    pub kube_reserved: BTreeMap<String, String>,
    /// The version that the node reports.
    pub kubelet_version: String,
}

impl NodeConfig {
    /// A node with Kubernetes' defaults, without a server, without cgroups of its own.
    pub fn new(name: impl Into<String>, root_dir: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            root_dir: root_dir.into(),
            log_dir: None,
            cgroup_root: None,
            pod_cidr: None,
            internal_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            cluster_dns: Vec::new(),
            cluster_domain: "cluster.local".into(),
            resolv_conf: "/etc/resolv.conf".into(),
            listen: SocketAddr::from(([0, 0, 0, 0], 10250)),
            tls: None,
            container_log_max_size: 10 << 20,
            container_log_max_files: 5,
            static_pod_path: None,
            file_check_interval: Duration::from_secs(20),
            eviction: EvictionConfig::default(),
            image_collection: ImageCollection::default(),
            max_pods: 110,
            lease_interval: Duration::from_secs(10),
            status_interval: Duration::from_secs(10),
            status_report_interval: Duration::from_secs(300),
            labels: BTreeMap::new(),
            taints: Vec::new(),
            capacity: BTreeMap::new(),
            system_reserved: BTreeMap::new(),
            kube_reserved: BTreeMap::new(),
            kubelet_version: "v1.37.0".into(),
        }
    }

    /// A pod's directory.
    pub fn pod_dir(&self, uid: &str) -> PathBuf {
        self.root_dir.join("pods").join(uid)
    }

    /// The directory of all logs.
    pub fn logs(&self) -> PathBuf {
        self.log_dir
            .clone()
            .unwrap_or_else(|| self.root_dir.join("logs"))
    }

    /// The directory of a pod's logs.
    pub fn pod_logs(&self, namespace: &str, name: &str, uid: &str) -> PathBuf {
        self.logs().join(format!("{namespace}_{name}_{uid}"))
    }

    /// The log of one run of a container.
    pub fn container_log(&self, pod_logs: &std::path::Path, container: &str, run: u32) -> PathBuf {
        pod_logs.join(container).join(format!("{run}.log"))
    }
}
