//! What the rules are made of: service ports with their endpoints, out of API objects. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    sync::Arc,
};

use k8s_openapi::api::{
    core::v1::{Service, ServicePort as ApiPort, ServiceSpec},
    discovery::v1::{Endpoint as ApiEndpoint, EndpointSlice},
};

/// The label that ties a slice to its service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Seconds that a client sticks to an endpoint unless the service says otherwise.
const AFFINITY_SECONDS: i32 = 10_800;

/// A transport protocol, as iptables names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// From the API's spelling; absent is TCP.
    pub fn from_api(text: Option<&str>) -> Protocol {
        match text {
            Some("UDP") => Protocol::Udp,
            Some("SCTP") => Protocol::Sctp,
            _ => Protocol::Tcp,
        }
    }

    /// `tcp`, `udp`, `sctp`.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        }
    }
}

/// Which endpoints traffic of one kind may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrafficPolicy {
    /// All of them.
    Cluster,
    /// Only those on this node.
    Local,
}

impl TrafficPolicy {
    fn from_api(text: Option<&str>) -> Self {
        if text == Some("Local") {
            TrafficPolicy::Local
        } else {
            TrafficPolicy::Cluster
        }
    }
}

/// One backend of a service port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// Address of the pod.
    pub ip: Ipv4Addr,
    /// Port at the pod.
    pub port: u16,
    /// Whether it runs on this node.
    pub is_local: bool,
    /// Whether new connections should go there.
    pub is_ready: bool,
    /// Whether it still answers though it is going away.
    pub is_serving_while_terminating: bool,
}

/// One port of one service, with everything its rules need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// `namespace/service:port`, or `namespace/service` for a port without a name.
    pub name: String,
    /// Its protocol.
    pub protocol: Protocol,
    /// The virtual address.
    pub cluster_ip: Ipv4Addr,
    /// The port at the virtual address.
    pub port: u16,
    /// The port at every node's addresses.
    pub node_port: Option<u16>,
    /// Addresses beside the cluster IP: external IPs and those of a load balancer.
    pub external_ips: Vec<Ipv4Addr>,
    /// Policy for traffic to the cluster IP.
    pub internal_policy: TrafficPolicy,
    /// Policy for traffic to node ports and external addresses.
    pub external_policy: TrafficPolicy,
    /// Seconds for which a client stays with its endpoint.
    pub affinity_seconds: Option<u32>,
    /// All backends, ready or not, in order.
    pub endpoints: Vec<Endpoint>,
}

/// Builds all IPv4 service ports, ordered by name and protocol, so that equal input gives equal rules.
pub fn service_ports(
    node: &str,
    services: &[Arc<Service>],
    slices: &[Arc<EndpointSlice>],
) -> Vec<ServicePort> {
    let mut by_service: BTreeMap<(&str, &str), Vec<&EndpointSlice>> = BTreeMap::new();
    for slice in slices.iter().filter(|slice| slice.address_type == "IPv4") {
        let labels = slice.metadata.labels.as_ref();
        if let Some(service) = labels.and_then(|labels| labels.get(SERVICE_NAME)) {
            let namespace = slice.metadata.namespace.as_deref().unwrap_or_default();
            by_service
                .entry((namespace, service))
                .or_default()
                .push(slice);
        }
    }
    let mut ports = Vec::new();
    for service in services {
        let namespace = service.metadata.namespace.as_deref().unwrap_or_default();
        let name = service.metadata.name.as_deref().unwrap_or_default();
        let slices = by_service
            .get(&(namespace, name))
            .map_or([].as_slice(), Vec::as_slice);
        let Some(spec) = &service.spec else { continue };
        let Some(cluster_ip) = cluster_ip(spec) else {
            continue;
        };
        for port in spec.ports.iter().flatten() {
            ports.push(service_port(
                node,
                &format!("{namespace}/{name}"),
                service,
                spec,
                cluster_ip,
                port,
                slices,
            ));
        }
    }
    ports.sort_by(|a, b| (&a.name, a.protocol).cmp(&(&b.name, b.protocol)));
    ports
}

/// The IPv4 address that rules are written for; none for headless services and external names.
fn cluster_ip(spec: &ServiceSpec) -> Option<Ipv4Addr> {
    if spec.type_.as_deref() == Some("ExternalName") {
        return None;
    }
    let all = spec.cluster_ips.iter().flatten().chain(&spec.cluster_ip);
    all.filter_map(|ip| ip.parse().ok()).next()
}

fn service_port(
    node: &str,
    service_name: &str,
    service: &Service,
    spec: &ServiceSpec,
    cluster_ip: Ipv4Addr,
    port: &ApiPort,
    slices: &[&EndpointSlice],
) -> ServicePort {
    let name = match port.name.as_deref() {
        Some(port) if !port.is_empty() => format!("{service_name}:{port}"),
        _ => service_name.to_owned(),
    };
    let protocol = Protocol::from_api(port.protocol.as_deref());
    let is_external = matches!(spec.type_.as_deref(), Some("NodePort" | "LoadBalancer"));
    let status = service
        .status
        .as_ref()
        .and_then(|status| status.load_balancer.as_ref());
    let ingress = status
        .iter()
        .flat_map(|status| status.ingress.iter().flatten());
    // `Proxy` mode means that the balancer sends to node ports, so its address must not be caught.
    let caught = ingress.filter(|ingress| ingress.ip_mode.as_deref() != Some("Proxy"));
    let external_ips = spec.external_ips.iter().flatten().map(String::as_str);
    let external_ips = external_ips.chain(caught.filter_map(|ingress| ingress.ip.as_deref()));
    let affinity = spec.session_affinity.as_deref() == Some("ClientIP");
    let timeout = spec
        .session_affinity_config
        .as_ref()
        .and_then(|config| config.client_ip.as_ref()?.timeout_seconds);
    ServicePort {
        cluster_ip,
        protocol,
        port: to_port(port.port),
        node_port: port
            .node_port
            .filter(|_| is_external)
            .map(to_port)
            .filter(|port| *port != 0),
        external_ips: external_ips.filter_map(|ip| ip.parse().ok()).collect(),
        internal_policy: TrafficPolicy::from_api(spec.internal_traffic_policy.as_deref()),
        external_policy: TrafficPolicy::from_api(spec.external_traffic_policy.as_deref()),
        affinity_seconds: affinity.then(|| timeout.unwrap_or(AFFINITY_SECONDS).unsigned_abs()),
        endpoints: endpoints(node, port.name.as_deref(), protocol, slices),
        name,
    }
}

/// The backends of the named port, without duplicates that overlapping slices may bring.
fn endpoints(
    node: &str,
    port_name: Option<&str>,
    protocol: Protocol,
    slices: &[&EndpointSlice],
) -> Vec<Endpoint> {
    let mut found = BTreeSet::new();
    for slice in slices {
        let port = slice.ports.iter().flatten().find(|port| {
            port.name.as_deref().unwrap_or_default() == port_name.unwrap_or_default()
                && Protocol::from_api(port.protocol.as_deref()) == protocol
        });
        let Some(port) = port.and_then(|port| port.port).map(to_port) else {
            continue;
        };
        for endpoint in slice.endpoints.iter().flatten() {
            let address = endpoint
                .addresses
                .first()
                .and_then(|address| address.parse().ok());
            if let Some(ip) = address {
                found.insert(backend(node, ip, port, endpoint));
            }
        }
    }
    found.into_iter().collect()
}

fn backend(node: &str, ip: Ipv4Addr, port: u16, endpoint: &ApiEndpoint) -> Endpoint {
    let conditions = endpoint.conditions.clone().unwrap_or_default();
    // An absent condition means ready; serving follows ready.
    let is_ready = conditions.ready.unwrap_or(true);
    let is_serving = conditions.serving.unwrap_or(is_ready);
    Endpoint {
        ip,
        port,
        is_local: endpoint.node_name.as_deref() == Some(node),
        is_ready,
        is_serving_while_terminating: is_serving && conditions.terminating.unwrap_or(false),
    }
}

fn to_port(port: i32) -> u16 {
    u16::try_from(port).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(spec: serde_json::Value) -> Arc<Service> {
        let metadata = json!({ "name": "web", "namespace": "default" });
        Arc::new(serde_json::from_value(json!({ "metadata": metadata, "spec": spec })).unwrap())
    }

    fn slice(endpoints: serde_json::Value) -> Arc<EndpointSlice> {
        Arc::new(
            serde_json::from_value(json!({
                "metadata": { "name": "web-1", "namespace": "default", "labels": { SERVICE_NAME: "web" } },
                "addressType": "IPv4",
                "ports": [{ "name": "http", "port": 8080, "protocol": "TCP" }],
                "endpoints": endpoints,
            }))
            .unwrap(),
        )
    }

    #[test]
    fn endpoints_follow_the_port_by_name_and_know_their_node() {
        let service = service(json!({
            "clusterIP": "10.96.0.7",
            "ports": [{ "name": "http", "port": 80 }, { "name": "other", "port": 81 }],
        }));
        let slice = slice(json!([
            { "addresses": ["10.244.0.2"], "nodeName": "n1" },
            { "addresses": ["10.244.1.2"], "nodeName": "n2", "conditions": { "ready": false } },
        ]));
        let ports = service_ports("n1", &[service], &[slice]);
        assert_eq!(
            ports
                .iter()
                .map(|port| port.name.as_str())
                .collect::<Vec<_>>(),
            ["default/web:http", "default/web:other"]
        );
        let seen: Vec<_> = ports[0]
            .endpoints
            .iter()
            .map(|e| (e.ip.to_string(), e.port, e.is_local, e.is_ready))
            .collect();
        assert_eq!(
            seen,
            [
                ("10.244.0.2".to_owned(), 8080, true, true),
                ("10.244.1.2".to_owned(), 8080, false, false)
            ]
        );
        assert!(ports[1].endpoints.is_empty());
    }

    #[test]
    fn headless_services_and_external_names_have_no_rules() {
        let headless = service(json!({ "clusterIP": "None", "ports": [{ "port": 80 }] }));
        let external = service(
            json!({ "type": "ExternalName", "externalName": "example.com", "ports": [{ "port": 80 }] }),
        );
        assert!(service_ports("n1", &[headless, external], &[]).is_empty());
    }

    #[test]
    fn node_ports_count_only_where_the_type_has_them() {
        let ports = json!([{ "port": 80, "nodePort": 30080 }]);
        let node_port =
            service(json!({ "type": "NodePort", "clusterIP": "10.96.0.7", "ports": ports }));
        let cluster_ip =
            service(json!({ "type": "ClusterIP", "clusterIP": "10.96.0.7", "ports": ports }));
        assert_eq!(
            service_ports("n1", &[node_port], &[])[0].node_port,
            Some(30080)
        );
        assert_eq!(service_ports("n1", &[cluster_ip], &[])[0].node_port, None);
    }
}
