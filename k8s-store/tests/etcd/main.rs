//! The engine for etcd against real servers: each test starts its own on loopback ports and ends them.
//!
//! Those of [`partition`] make network namespaces, and so run as root.
//!
//! They run `etcd` from the path, or what the variable `ETCD` names, and fail when there is none.

mod access;
mod agreement;
mod conformance;
mod fault;
mod load;
mod network;
mod partition;
mod server;
mod sharing;
mod size;
#[path = "../agreement/step.rs"]
mod step;
mod upkeep;
