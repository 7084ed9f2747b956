//! The engine for etcd against real servers: each test starts its own on loopback ports and ends them.
//!
//! They run `etcd` from the path, or what the variable `ETCD` names, and fail when there is none.

mod access;
mod agreement;
mod conformance;
mod fault;
mod server;
mod sharing;
mod size;
#[path = "../agreement/step.rs"]
mod step;
mod upkeep;
