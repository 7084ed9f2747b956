#![doc = include_str!("../README.md")]

mod bind;
mod builder;
pub mod cache;
pub mod config;
pub mod cycle;
pub mod framework;
pub mod plugins;
pub mod queue;
mod report;
mod scheduler;
#[cfg(test)]
mod testing;
mod waiting;

pub use builder::Builder;
pub use config::{DEFAULT_SCHEDULER, Profile};
pub use scheduler::Scheduler;
pub use waiting::WaitingPods;
