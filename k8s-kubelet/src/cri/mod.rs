//! The container runtime, as the node agent sees it.
//!
//! [`Runtime`] is the seam: [`CriRuntime`] speaks Kubernetes' container runtime interface over a
//! unix socket, and [`HollowRuntime`](crate::hollow::HollowRuntime) only pretends. What is *asked*
//! of a runtime is said in the interface's own messages ([`api`]); what it *answers* is reduced to
//! the small types of [`observed`](Container), which is all that the agent decides on.

mod client;
mod error;
pub mod label;
mod observed;
mod runtime;
mod usage;

/// The messages of `runtime.v1` that the agent uses, generated from `proto/cri.proto`.
pub mod api {
    // Generated: the interface's own documentation describes the fields.
    #![allow(missing_docs, unreachable_pub, clippy::all)]
    tonic::include_proto!("runtime.v1");
}

/// containerd's own event stream, generated from `proto/containerd_events.proto`.
mod containerd {
    // Generated code.
    #![allow(missing_docs, unreachable_pub, clippy::all)]
    tonic::include_proto!("containerd.services.events.v1");
}

pub use client::CriRuntime;
pub use error::RuntimeError;
pub use observed::{Container, ContainerState, Image, Sandbox};
pub use runtime::{
    Change, Changes, ExecOutput, Features, Runtime, RuntimeCondition, StreamServer, Streams,
    Version,
};
pub use usage::{ContainerUsage, ImageDisk, PodUsage};
