//! Kinds of `policy`.

pub(super) mod eviction;
pub(super) mod pod_disruption_budget;
