//! Builders that keep the rows of tables short.

use crate::state::{Endpoint, Protocol, ServicePort, TrafficPolicy};

/// A TCP service port 80 at 10.96.0.7 without endpoints.
pub(crate) fn port(name: &str) -> ServicePort {
    ServicePort {
        name: name.to_owned(),
        protocol: Protocol::Tcp,
        cluster_ip: [10, 96, 0, 7].into(),
        port: 80,
        node_port: None,
        external_ips: Vec::new(),
        internal_policy: TrafficPolicy::Cluster,
        external_policy: TrafficPolicy::Cluster,
        affinity_seconds: None,
        endpoints: Vec::new(),
    }
}

/// A ready endpoint on another node, port 8080.
pub(crate) fn endpoint(ip: &str) -> Endpoint {
    Endpoint {
        ip: ip.parse().expect("an address"),
        port: 8080,
        is_local: false,
        is_ready: true,
        is_serving_while_terminating: false,
    }
}

impl ServicePort {
    pub(crate) fn endpoints<const N: usize>(self, endpoints: [Endpoint; N]) -> Self {
        ServicePort {
            endpoints: endpoints.into(),
            ..self
        }
    }

    pub(crate) fn node_port(self, port: u16) -> Self {
        ServicePort {
            node_port: Some(port),
            ..self
        }
    }
}
