//! Kinds of `batch`.

pub mod cron_job;
mod failure_policy;
mod index;
pub mod job;
mod job_spec;
mod job_status;
pub mod schedule;
mod success_policy;
