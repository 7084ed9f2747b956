//! Where the agent learns what it is to do: its pods, and the objects that they refer to.

mod object;
mod pods;

pub use object::{Objects, SourceError};
pub use pods::PodSource;
