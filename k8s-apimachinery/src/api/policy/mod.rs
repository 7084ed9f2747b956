//! Kinds of `policy`.

pub mod budget;
pub mod eviction;
pub mod pod_disruption_budget;
