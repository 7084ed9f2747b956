//! Host ports: which pods can't share a node because they listen on the same address.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Pod;

use super::request::is_restartable_init;

/// An address on the node that a container's port is published on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    /// Address it listens on; the unspecified address stands for all of the node's.
    pub ip: String,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// Port on the node, 1 to 65535.
    pub port: i32,
}

impl HostPort {
    /// Whether both can't be bound on the same node.
    pub fn conflicts(&self, other: &HostPort) -> bool {
        self.port == other.port
            && self.protocol == other.protocol
            && (self.ip == other.ip || is_wildcard(&self.ip) || is_wildcard(&other.ip))
    }
}

/// The host ports of the pod's main containers and sidecars.
pub fn host_ports(pod: &Pod) -> Vec<HostPort> {
    let Some(spec) = &pod.spec else {
        return Vec::new();
    };
    let sidecars = spec
        .init_containers
        .iter()
        .flatten()
        .filter(|c| is_restartable_init(c));
    let containers = spec.containers.iter().chain(sidecars);
    let ports = containers.flat_map(|container| container.ports.iter().flatten());
    ports
        .filter_map(|port| {
            Some(HostPort {
                ip: given(&port.host_ip).unwrap_or("0.0.0.0").to_owned(),
                protocol: given(&port.protocol).unwrap_or("TCP").to_owned(),
                port: port.host_port.filter(|port| *port > 0)?,
            })
        })
        .collect()
}

/// The first of the `wanted` ports that conflicts with one `in_use`.
pub fn find_conflict<'a>(wanted: &'a [HostPort], in_use: &[HostPort]) -> Option<&'a HostPort> {
    wanted
        .iter()
        .find(|port| in_use.iter().any(|used| used.conflicts(port)))
}

fn given(field: &Option<String>) -> Option<&str> {
    field.as_deref().filter(|s| !s.is_empty())
}

fn is_wildcard(ip: &str) -> bool {
    ip.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::testing::pod;
    use serde_json::json;

    fn port(ip: &str, protocol: &str, port: i32) -> HostPort {
        HostPort {
            ip: ip.to_owned(),
            protocol: protocol.to_owned(),
            port,
        }
    }

    #[test]
    fn wildcards_conflict_with_every_address() {
        let any = port("0.0.0.0", "TCP", 80);
        assert!(any.conflicts(&port("10.0.0.1", "TCP", 80)));
        assert!(port("10.0.0.1", "TCP", 80).conflicts(&any));
        assert!(!port("10.0.0.1", "TCP", 80).conflicts(&port("10.0.0.2", "TCP", 80)));
    }

    #[test]
    fn other_protocols_and_ports_do_not_conflict() {
        let any = port("0.0.0.0", "TCP", 80);
        assert!(!any.conflicts(&port("0.0.0.0", "UDP", 80)));
        assert!(!any.conflicts(&port("0.0.0.0", "TCP", 81)));
    }

    #[test]
    fn sidecars_publish_ports_and_other_init_containers_do_not() {
        let with_port = |name: &str, host: i32, restart: &str| json!({"name": name, "restartPolicy": restart, "ports": [{"containerPort": 1, "hostPort": host}]});
        let pod = pod(
            json!({
                "containers": [{"name": "a", "ports": [{"containerPort": 80}, {"containerPort": 81, "hostPort": 81}]}],
                "initContainers": [with_port("i", 1, ""), with_port("s", 2, "Always")],
            }),
            json!({}),
        );
        assert_eq!(
            host_ports(&pod),
            [port("0.0.0.0", "TCP", 81), port("0.0.0.0", "TCP", 2)]
        );
    }
}
