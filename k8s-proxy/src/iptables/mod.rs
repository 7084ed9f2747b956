//! Services as iptables rules: the text is made purely, then applied in one transaction.
//!
//! Chains and their jobs are those of kube-proxy, so that who knows one can read the other.

pub mod chain;
mod cluster_ip;
mod node_port;
pub mod restore;
pub mod rules;
#[cfg(test)]
mod trace;
pub mod writer;
