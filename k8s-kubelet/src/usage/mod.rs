//! What the node, its pods and their containers use: `/stats/summary` and `/metrics/resource`.
//!
//! [`Observer`] looks at machine, runtime, groups and directories; [`summary`] puts it together, purely, in the form of
//! [`figure`]; [`exposition`] writes it as Prometheus reads it. Nothing is read unless somebody asks.

pub(crate) mod exposition;
mod figure;
mod headroom;
mod machine;
mod observer;
mod rate;
mod summary;
mod tree;

pub use figure::{
    ClaimRef, Container, Cpu, Disk, Interface, Memory, Network, Node, Pod, PodRef, ProcessCount,
    Processes, RuntimeDisk, Size, Summary, Volume,
};
pub(crate) use headroom::Headroom;
pub(crate) use observer::Observer;
