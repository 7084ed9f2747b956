#![doc = include_str!("../README.md")]

mod agent;
mod allocation;
pub mod certificate;
mod config;
pub mod cri;
mod error;
mod event;
pub mod eviction;
pub mod hollow;
mod image;
mod kubelet;
mod node;
pub mod pleg;
pub mod pod;
pub mod probe;
pub mod resource;
mod rotation;
pub mod server;
mod socket;
pub mod source;
pub mod spdy;
mod teardown;
pub mod usage;
pub mod volume;

pub use config::NodeConfig;
pub use error::Error;
pub use event::Event;
pub use image::ImageCollection;
pub use kubelet::Kubelet;
pub use teardown::teardown;
