//! What a node tells of itself: figures of usage, for people and for metrics servers, and its configuration.

use std::{collections::BTreeMap, sync::Arc};

use http::{Response, StatusCode, header};
use serde_json::{Value, json};

use super::{
    directory::Directory,
    route::{Body, text},
};
use crate::{
    agent::Agent,
    config::NodeConfig,
    cri::RuntimeError,
    pod::backoff::go_duration,
    usage::{Summary, exposition},
};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Figure {
    /// `/stats/summary`.
    Summary,
    /// `/metrics/resource`.
    Resource,
    /// `/metrics`.
    Agent,
    /// `/configz`.
    Configuration,
}

impl Figure {
    /// What a path asks for.
    pub(super) fn of(path: &[&str]) -> Option<Self> {
        match path {
            ["stats", "summary"] => Some(Figure::Summary),
            ["metrics", "resource"] => Some(Figure::Resource),
            ["metrics"] => Some(Figure::Agent),
            ["configz"] => Some(Figure::Configuration),
            _ => None,
        }
    }

    /// The answer of the server's node.
    pub(super) async fn answer(self, directory: &Directory) -> Response<Body> {
        let Some(agent) = directory.agent() else {
            let message = "this server serves several nodes, or none yet\n";
            return text(StatusCode::NOT_FOUND, message);
        };
        match self {
            Figure::Summary => match look(&agent, directory).await {
                Ok(summary) => json_text(json!(summary).to_string()),
                Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
            },
            Figure::Resource => {
                let summary = look(&agent, directory).await;
                exposed(exposition::resource(summary.ok().as_ref()))
            }
            Figure::Agent => exposed(own(&agent)),
            Figure::Configuration => {
                json_text(json!({"kubeletconfig": configuration(&agent.config)}).to_string())
            }
        }
    }
}

async fn look(agent: &Arc<Agent>, directory: &Directory) -> Result<Summary, RuntimeError> {
    agent.usage.look(agent, directory.list()).await
}

fn own(agent: &Agent) -> String {
    let views: Vec<_> = agent.pleg.uids();
    let views: Vec<_> = views.iter().map(|uid| agent.pleg.view(uid)).collect();
    let pods = views.iter().filter(|view| view.ready_sandbox().is_some());
    let containers = views.iter().flat_map(|view| &view.containers);
    let states: Vec<_> = containers.map(|container| container.state).collect();
    exposition::agent(&agent.config.name, pods.count(), &states)
}

/// The configuration in the form of `kubelet.config.k8s.io/v1beta1` `KubeletConfiguration`, as far as there is one.
fn configuration(config: &NodeConfig) -> Value {
    let (eviction, images) = (&config.eviction, &config.image_collection);
    let soft_grace = eviction.soft_grace_period.iter();
    let soft_grace: BTreeMap<_, _> = soft_grace
        .map(|(signal, period)| (signal, go_duration(*period)))
        .collect();
    let dns: Vec<String> = config.cluster_dns.iter().map(ToString::to_string).collect();
    json!({
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "address": config.listen.ip().to_string(),
        "port": config.listen.port(),
        "clusterDomain": config.cluster_domain,
        "clusterDNS": dns,
        "nodeStatusUpdateFrequency": go_duration(config.status_interval),
        "nodeStatusReportFrequency": go_duration(config.status_report_interval),
        "nodeLeaseDurationSeconds": config.lease_interval.as_secs() * 4,
        "cgroupRoot": config.cgroup_root.clone().unwrap_or_default(),
        "cgroupDriver": "cgroupfs",
        "maxPods": config.max_pods,
        "podCIDR": config.pod_cidr.clone().unwrap_or_default(),
        "resolvConf": config.resolv_conf,
        "containerLogMaxSize": config.container_log_max_size.to_string(),
        "containerLogMaxFiles": config.container_log_max_files,
        "systemReserved": config.system_reserved,
        "kubeReserved": config.kube_reserved,
        "staticPodPath": config.static_pod_path,
        "fileCheckFrequency": go_duration(config.file_check_interval),
        "evictionHard": eviction.hard,
        "evictionSoft": eviction.soft,
        "evictionSoftGracePeriod": soft_grace,
        "evictionMinimumReclaim": eviction.minimum_reclaim,
        "evictionMaxPodGracePeriod": eviction.max_pod_grace_period.as_secs(),
        "evictionPressureTransitionPeriod": go_duration(eviction.pressure_transition_period),
        "imageGCHighThresholdPercent": images.high_threshold_percent,
        "imageGCLowThresholdPercent": images.low_threshold_percent,
        "imageMinimumGCAge": go_duration(images.minimum_age),
        "imageMaximumGCAge": go_duration(images.maximum_age),
        "registerWithTaints": config.taints,
    })
}

fn json_text(body: String) -> Response<Body> {
    typed(body, "application/json")
}

fn exposed(body: String) -> Response<Body> {
    typed(body, exposition::MEDIA_TYPE)
}

fn typed(body: String, media_type: &'static str) -> Response<Body> {
    let mut response = text(StatusCode::OK, body);
    let media_type = header::HeaderValue::from_static(media_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    response
}
