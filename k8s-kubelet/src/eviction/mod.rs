//! Protecting the node: pods give way before memory, disks or process ids run out.

mod pressure;

pub use pressure::{Pressure, Pressures};
