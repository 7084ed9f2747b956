#![doc = include_str!("../README.md")]

mod directory;
mod dns;
mod error;
pub mod forward;
pub mod question;
mod register;
pub mod server;
pub mod zone;

pub use directory::Directory;
pub use dns::{Dns, DnsConfig};
pub use error::Error;
