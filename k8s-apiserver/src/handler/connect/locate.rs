//! Where a node's agent is, and what stands behind a service.

use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;
use k8s_openapi::api::{
    core::v1::{Node, Pod},
    discovery::v1::EndpointSlice,
};

use crate::stack::Stack;

/// The port of a node's agent if the node doesn't say another.
const KUBELET_PORT: u16 = 10250;

/// How to reach a node's agent.
#[derive(Clone)]
pub enum NodeEndpoint {
    /// It serves HTTPS there, with a certificate for that address.
    Address(SocketAddr),
    /// It lives in this process: a hollow node.
    InProcess(Stack),
}

impl NodeEndpoint {
    /// The address, if it has one.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            NodeEndpoint::Address(address) => Some(*address),
            NodeEndpoint::InProcess(_) => None,
        }
    }
}

/// Finds nodes, and what the proxies send requests to.
#[async_trait]
pub trait NodeLocator: Send + Sync + 'static {
    /// Where the agent of a node is; `None` if there is no such node or it has no address.
    async fn locate(&self, node: &str) -> Option<NodeEndpoint>;

    /// The endpoints of a service.
    fn slices(&self, namespace: &str, service: &str) -> Vec<EndpointSlice>;

    /// A pod.
    fn pod(&self, namespace: &str, name: &str) -> Option<Pod>;
}

/// The address that a node reports for its agent: internal before external.
pub fn address_of(node: &Node) -> Option<SocketAddr> {
    let status = node.status.as_ref()?;
    let addresses = status.addresses.as_deref().unwrap_or_default();
    let of_kind = |kind: &str| -> Option<IpAddr> {
        addresses
            .iter()
            .filter(|address| address.type_ == kind)
            .find_map(|address| address.address.parse().ok())
    };
    let endpoint = status
        .daemon_endpoints
        .as_ref()
        .and_then(|endpoints| endpoints.kubelet_endpoint.as_ref());
    let port = endpoint
        .and_then(|endpoint| u16::try_from(endpoint.port).ok())
        .filter(|port| *port != 0);
    let address = of_kind("InternalIP").or_else(|| of_kind("ExternalIP"))?;
    Some(SocketAddr::new(address, port.unwrap_or(KUBELET_PORT)))
}
