//! What the runtime is told about a pod's sandbox. Pure.

use std::path::Path;

use k8s_openapi::api::core::v1::{Pod, PodSpec};

use super::{
    dns::{self, Resolver},
    security,
};
use crate::{
    cri::{
        api::{LinuxPodSandboxConfig, PodSandboxConfig, PodSandboxMetadata, PortMapping, Protocol},
        label,
    },
    resource::limit::CgroupLimits,
};

/// Host names are no longer than this.
const MAX_HOSTNAME: usize = 63;

/// What a sandbox is made from beside the pod.
pub(crate) struct Place<'a> {
    pub(crate) attempt: u32,
    pub(crate) resolver: &'a Resolver,
    pub(crate) logs: &'a Path,
    pub(crate) cgroup: Option<&'a str>,
    pub(crate) limits: CgroupLimits,
}

/// The pod's host name, and its domain if it has one.
pub(crate) fn hostname(
    pod: &Pod,
    spec: &PodSpec,
    cluster_domain: &str,
) -> (String, Option<String>) {
    let own = spec
        .hostname_override
        .as_ref()
        .or(spec.hostname.as_ref())
        .filter(|name| !name.is_empty());
    let name = own
        .or(pod.metadata.name.as_ref())
        .cloned()
        .unwrap_or_default();
    let name = name
        .get(..MAX_HOSTNAME)
        .unwrap_or(&name)
        .trim_end_matches(['-', '.'])
        .to_owned();
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let subdomain = spec.subdomain.as_deref().filter(|name| !name.is_empty());
    let domain = subdomain.map(|subdomain| format!("{subdomain}.{namespace}.svc.{cluster_domain}"));
    (name, domain)
}

/// The sandbox's configuration.
pub(crate) fn config(pod: &Pod, spec: &PodSpec, place: &Place<'_>) -> PodSandboxConfig {
    let meta = &pod.metadata;
    let namespace = meta.namespace.clone().unwrap_or_default();
    let is_on_host = spec.host_network == Some(true);
    let (name, domain) = hostname(pod, spec, &place.resolver.domain);
    let hostname = match domain {
        // The node's own, which runtimes must not set.
        _ if is_on_host => String::new(),
        Some(domain) if spec.set_hostname_as_fqdn == Some(true) => format!("{name}.{domain}"),
        _ => name,
    };
    let mut labels = meta.labels.clone().unwrap_or_default();
    labels.extend(label::pod_labels(pod));
    let sysctls = spec
        .security_context
        .iter()
        .flat_map(|context| context.sysctls.iter().flatten());
    PodSandboxConfig {
        metadata: Some(PodSandboxMetadata {
            name: meta.name.clone().unwrap_or_default(),
            uid: meta.uid.clone().unwrap_or_default(),
            namespace: namespace.clone(),
            attempt: place.attempt,
        }),
        hostname,
        log_directory: place.logs.to_string_lossy().into_owned(),
        dns_config: Some(dns::config(&namespace, spec, place.resolver)),
        port_mappings: if is_on_host {
            Vec::new()
        } else {
            port_mappings(spec)
        },
        labels,
        annotations: meta.annotations.clone().unwrap_or_default(),
        linux: Some(LinuxPodSandboxConfig {
            cgroup_parent: place.cgroup.unwrap_or_default().to_owned(),
            security_context: Some(security::sandbox(spec)),
            sysctls: sysctls
                .map(|sysctl| (sysctl.name.clone(), sysctl.value.clone()))
                .collect(),
            overhead: None,
            resources: Some(crate::cri::api::LinuxContainerResources {
                cpu_shares: place.limits.cpu_shares,
                cpu_quota: place.limits.cpu_quota,
                cpu_period: crate::resource::limit::CPU_PERIOD,
                memory_limit_in_bytes: place.limits.memory,
                ..Default::default()
            }),
        }),
    }
}

/// The ports that containers claim on the node.
fn port_mappings(spec: &PodSpec) -> Vec<PortMapping> {
    let sidecars = spec
        .init_containers
        .iter()
        .flatten()
        .filter(|init| super::actions::is_sidecar(init));
    let ports = spec
        .containers
        .iter()
        .chain(sidecars)
        .flat_map(|container| container.ports.iter().flatten());
    ports
        .filter_map(|port| {
            let host_port = port.host_port.filter(|port| *port > 0)?;
            let protocol = match port.protocol.as_deref() {
                Some("UDP") => Protocol::Udp,
                Some("SCTP") => Protocol::Sctp,
                _ => Protocol::Tcp,
            };
            Some(PortMapping {
                protocol: protocol.into(),
                container_port: port.container_port,
                host_port,
                host_ip: port.host_ip.clone().unwrap_or_default(),
            })
        })
        .collect()
}
