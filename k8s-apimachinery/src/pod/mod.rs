//! What the scheduler, the node agent, the controllers and the API server must agree on about a pod.
//!
//! Each file answers one question as plain functions over `k8s-openapi`'s types: no clock, no I/O.
//! Keeping the answers here means that no component imports another for them.

pub mod affinity;
pub mod port;
pub mod qos;
pub mod readiness;
pub mod request;
pub mod taint;
pub mod total;

#[cfg(test)]
pub(crate) mod testing;
