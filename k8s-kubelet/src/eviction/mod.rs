//! Protecting the node: pods give way before memory, disks or process ids run out.
//!
//! Every ten seconds the machine is looked at ([`starved`]: what is low, and for how long). What nobody needs is
//! removed first (dead containers, unused images); then one pod at a time is put out, chosen by [`rank`]. Pods over
//! limits of their own on the node's disk ([`local_storage`]) go at any time. Critical pods never do.

use std::time::Duration;

use crate::pod::status::Reason;

mod local_storage;
mod manager;
mod message;
mod pressure;
mod rank;
mod starved;
mod threshold;

pub(crate) use manager::run;
pub use pressure::{Pressure, Pressures};
pub use threshold::{Amount, EvictionConfig, Scarce, Signal, Threshold, ThresholdError};

/// The node puts a pod out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eviction {
    /// Why, as the pod's status tells.
    pub reason: Reason,
    /// How long its containers may take to end.
    pub grace: Duration,
    /// Whether the node was short of something, rather than the pod over its own limits.
    pub is_disruption: bool,
}
