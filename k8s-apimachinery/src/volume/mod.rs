//! What the scheduler, the node agent and the controllers must agree on about claims and volumes.
//!
//! Plain functions over `k8s-openapi`'s types: no clock, no I/O.

pub mod binding;
pub mod claim;
pub mod class;
pub mod matching;
