//! What containers may use, as the kernel is told: [`limit`] computes, [`cgroup`] writes.

pub mod cgroup;
pub mod limit;

pub use cgroup::{CgroupError, Cgroups, GroupUsage};
