//! Where the agent learns what it is to do: its pods, and the objects that they refer to.

pub mod annotation;
mod file;
mod followed;
mod manifest;
mod object;
mod pods;
mod reference;

pub(crate) use file::Manifests;
pub use object::{Following, Objects, SourceError};
pub use pods::PodSource;
pub use reference::References;
