//! Kinds of `autoscaling`.

mod behavior;
pub(super) mod convert;
pub mod horizontal_pod_autoscaler;
mod metric;
pub mod scale;
