//! A pod with what scheduling asks of it over and over, computed once.

use std::sync::Arc;

use k8s_apimachinery::pod::{
    port::{self, HostPort},
    request::{self, Resources},
};
use k8s_openapi::api::core::v1::{Pod, PodSpec};
use k8s_runtime::Key;

/// A pod and what is derived from it.
#[derive(Clone, Debug)]
pub struct PodInfo {
    /// The pod as it was read.
    pub pod: Arc<Pod>,
    /// Namespace and name.
    pub key: Key,
    /// What it takes from a node.
    pub requests: Resources,
    /// The same with assumed amounts for containers that request nothing: for scoring.
    pub scoring_requests: Resources,
    /// The ports that it opens on its node.
    pub host_ports: Vec<HostPort>,
    /// Greater is scheduled first.
    pub priority: i32,
}

impl PodInfo {
    /// Derives what there is to derive.
    pub fn new(pod: Arc<Pod>) -> Self {
        Self {
            key: Key::of(&*pod),
            requests: request::requests(&pod),
            scoring_requests: request::requests_for_scoring(&pod),
            host_ports: port::host_ports(&pod),
            priority: pod.spec.as_ref().and_then(|s| s.priority).unwrap_or(0),
            pod,
        }
    }

    /// What tells this pod from others of the same name before and after it.
    pub fn uid(&self) -> &str {
        self.pod.metadata.uid.as_deref().unwrap_or_default()
    }

    /// The pod's spec, if it has one.
    pub fn spec(&self) -> Option<&PodSpec> {
        self.pod.spec.as_ref()
    }
}

impl From<Pod> for PodInfo {
    fn from(pod: Pod) -> Self {
        Self::new(Arc::new(pod))
    }
}
