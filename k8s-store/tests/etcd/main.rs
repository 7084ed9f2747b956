//! The engine for etcd against real servers: each test starts its own on loopback ports and ends them.
//!
//! They run `etcd` from the path, or what the variable `ETCD` names, and fail when there is none.

mod agreement;
mod conformance;
mod fault;
mod server;
mod sharing;
#[path = "../agreement/step.rs"]
mod step;
