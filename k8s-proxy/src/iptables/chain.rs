//! Names of chains. Those of services are hashes, since the kernel allows 28 bytes.

use sha2::{Digest, Sha256};

use crate::state::{Endpoint, ServicePort};

/// Virtual addresses are caught here.
pub const SERVICES: &str = "KUBE-SERVICES";
/// Ports at this node's own addresses are caught here.
pub const NODE_PORTS: &str = "KUBE-NODEPORTS";
/// Marks a packet whose source has to be rewritten on its way out.
pub const MARK_MASQ: &str = "KUBE-MARK-MASQ";
/// Rewrites the source of marked packets.
pub const POSTROUTING: &str = "KUBE-POSTROUTING";
/// Lets packets to services through.
pub const FORWARD: &str = "KUBE-FORWARD";
/// External addresses without endpoints are refused here.
pub const EXTERNAL: &str = "KUBE-EXTERNAL-SERVICES";
/// Keeps outsiders away from loopback, which node ports on 127.0.0.1 would otherwise open.
pub const FIREWALL: &str = "KUBE-FIREWALL";

/// Chain that spreads over all endpoints.
pub fn service(port: &ServicePort) -> String {
    hashed("KUBE-SVC-", &[&port.name, port.protocol.name()])
}

/// Chain that spreads over this node's endpoints.
pub fn local(port: &ServicePort) -> String {
    hashed("KUBE-SVL-", &[&port.name, port.protocol.name()])
}

/// Chain for traffic from outside the cluster.
pub fn external(port: &ServicePort) -> String {
    hashed("KUBE-EXT-", &[&port.name, port.protocol.name()])
}

/// Chain of one endpoint of one service port.
pub fn endpoint(port: &ServicePort, endpoint: &Endpoint) -> String {
    let address = format!("{}:{}", endpoint.ip, endpoint.port);
    hashed("KUBE-SEP-", &[&port.name, port.protocol.name(), &address])
}

/// The first 16 characters of the base32 form of a SHA-256 over the parts.
fn hashed(prefix: &str, parts: &[&str]) -> String {
    let mut sha = Sha256::new();
    parts.iter().for_each(|part| sha.update(part.as_bytes()));
    format!("{prefix}{}", base32(&sha.finalize()[..10]))
}

/// RFC 4648 base32 of 10 bytes, which makes 16 characters without padding.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    bytes
        .chunks(5)
        .flat_map(|chunk| {
            let bits = chunk
                .iter()
                .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
            (0..8)
                .rev()
                .map(move |index| char::from(ALPHABET[(bits >> (index * 5) & 31) as usize]))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::port;

    #[test]
    fn names_are_those_of_kube_proxy() {
        // The API server's own service has the same chain on every cluster.
        assert_eq!(
            service(&port("default/kubernetes:https")),
            "KUBE-SVC-NPX46M4PTMTKRN6Y"
        );
    }

    #[test]
    fn names_fit_the_kernel() {
        let name = service(&port(&"long-name/".repeat(30)));
        assert!(name.len() <= 28, "{name}");
    }
}
