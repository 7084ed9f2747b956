#![doc = include_str!("../README.md")]

mod error;
pub mod iptables;
mod proxy;
pub mod state;
mod sysctl;
#[cfg(test)]
mod testing;
pub mod topology;

pub use error::Error;
pub use proxy::{Proxy, ProxyConfig, cleanup};
