//! SPDY/3.1, as far as Kubernetes' streams need it: what runtimes' streaming servers speak, and kubectl
//! before WebSockets.
//!
//! Like the peers, it does without windows: a stream whose reader is slow holds up its connection.
//! Whatever a peer sends, memory stays bounded.

mod dictionary;
mod frame;
mod header;
mod server;

pub use frame::{Encoder, Frame, Reader, Reset, StreamId};
pub use header::Headers;
pub(crate) use server::{Task, serve};

#[cfg(test)]
mod tests;
