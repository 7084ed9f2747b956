//! The scheduling framework: extension points, verdicts, and the events that plugins wait for.

mod event;
mod plugin;
mod points;
mod verdict;

pub use event::{Change, ClusterEvent};
pub use plugin::*;
pub use points::Points;
pub use verdict::Verdict;
