//! The addresses of a cluster.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use anyhow::{Context, Result, bail};
use k8s_proxy::iptables::rules::Cidr;

/// All pods' network; each node gets a /24 of it.
pub(crate) const POD_NETWORK: &str = "10.244.0.0/16";
/// The virtual address of cluster DNS.
pub(crate) const DNS: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);
/// The domain of cluster names.
pub(crate) const DOMAIN: &str = "cluster.local";

/// [`POD_NETWORK`] as a proxy takes it.
pub(crate) fn pod_network() -> Cidr {
    POD_NETWORK.parse().expect("the pod network is one")
}

/// The pods of one node, by its number.
pub(crate) fn pod_cidr(node: usize) -> String {
    format!("10.{}.{}.0/24", 244 + node / 256, node % 256)
}

/// The address at which pods reach this machine: the one of its default route, unless told.
pub(crate) fn advertise(told: Option<IpAddr>) -> Result<Ipv4Addr> {
    match told {
        Some(IpAddr::V4(address)) if !address.is_loopback() => return Ok(address),
        Some(address) => {
            bail!("--advertise-address {address} is no IPv4 address that pods could reach")
        }
        None => {}
    }
    // Connecting a datagram socket sends nothing; it only asks the routing table.
    let probe = || -> std::io::Result<IpAddr> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        Ok(socket.local_addr()?.ip())
    };
    match probe().context(
        "no default route tells which address pods could reach: give --advertise-address",
    )? {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(address) => bail!("{address} is no IPv4 address: give --advertise-address"),
    }
}

/// This machine's name, as a node's name has to be.
pub(crate) fn host_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_a_network_of_its_own() {
        assert_eq!(pod_cidr(0), "10.244.0.0/24");
        assert_eq!(pod_cidr(255), "10.244.255.0/24");
        assert_eq!(pod_cidr(256), "10.245.0.0/24");
    }

    #[test]
    fn loopback_is_no_address_for_pods() {
        assert!(advertise(Some(Ipv4Addr::LOCALHOST.into())).is_err());
        let address = Ipv4Addr::new(192, 0, 2, 7);
        assert_eq!(advertise(Some(address.into())).unwrap(), address);
    }
}
