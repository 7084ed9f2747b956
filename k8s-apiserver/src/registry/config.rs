//! What a registry is made of: kinds, admission, networks, and its environment.

use std::{fmt, net::Ipv4Addr, ops::RangeInclusive, sync::Arc};

use k8s_apimachinery::ip::Network;

use super::{Connector, Environment, KindRow, Strategy, SystemEnvironment, Virtual};
use crate::{admission::Admission, authn::service_account::TokenIssuer};

/// A network of IPv4 addresses: `10.96.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ipv4Network {
    /// The first address.
    pub base: Ipv4Addr,
    /// How many leading bits are fixed.
    pub prefix: u8,
}

/// The parts of a [`Registry`](super::Registry). The default has no kinds and no admission.
#[derive(Clone)]
pub struct RegistryConfig {
    /// The kinds served from the start.
    pub strategies: Vec<Arc<dyn Strategy>>,
    /// The kinds answered without storage.
    pub virtual_resources: Vec<(KindRow, Arc<dyn Virtual>)>,
    /// The admission plugins, in order.
    pub admission: Vec<Arc<dyn Admission>>,
    /// What answers `log`, `exec` and their like; without one they are unavailable.
    pub connector: Option<Arc<dyn Connector>>,
    /// What signs service-account tokens; without it there are none.
    pub tokens: Option<Arc<TokenIssuer>>,
    /// Time and randomness.
    pub environment: Arc<dyn Environment>,
    /// Where cluster IPs come from.
    pub service_network: Ipv4Network,
    /// Where node ports come from.
    pub node_ports: RangeInclusive<u16>,
    /// Where clients reach this server: the endpoint of the `kubernetes` service.
    pub advertise: (Ipv4Addr, u16),
}

impl Default for RegistryConfig {
    fn default() -> Self {
        RegistryConfig {
            strategies: Vec::new(),
            virtual_resources: Vec::new(),
            admission: Vec::new(),
            connector: None,
            tokens: None,
            environment: Arc::new(SystemEnvironment),
            service_network: Ipv4Network {
                base: Ipv4Addr::new(10, 96, 0, 0),
                prefix: 16,
            },
            node_ports: 30000..=32767,
            advertise: (Ipv4Addr::LOCALHOST, 6443),
        }
    }
}

impl Ipv4Network {
    /// The address at an index, `.0` being the first.
    pub fn address(&self, index: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.base).wrapping_add(index))
    }
}

impl From<Ipv4Network> for Network {
    fn from(network: Ipv4Network) -> Self {
        Network {
            address: network.base.into(),
            prefix: network.prefix,
        }
    }
}

impl fmt::Display for Ipv4Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

impl fmt::Debug for RegistryConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryConfig")
            .field("kinds", &self.strategies.len())
            .field("service_network", &self.service_network)
            .field("node_ports", &self.node_ports)
            .field("advertise", &self.advertise)
            .finish_non_exhaustive()
    }
}
