//! The node itself: its object, its status, its lease.

mod allocatable;
mod lease;
mod machine;
mod register;
mod report;
mod status;

pub(crate) use machine::{Machine, total_memory};
pub(crate) use register::initial;
pub(crate) use report::Reporter;
