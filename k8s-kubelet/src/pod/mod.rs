//! The life of a pod on this node: [`actions`] decides, `sync` and `start` do, [`status`] reports, and a
//! `worker` per pod goes round.

pub mod actions;
mod actuate;
pub mod backoff;
pub(crate) mod cleanup;
pub(crate) mod container;
pub(crate) mod dns;
mod env;
pub(crate) mod ephemeral;
pub(crate) mod field;
mod hook;
mod hosts;
mod kill;
mod last_words;
pub(crate) mod mailbox;
mod mirror;
mod report;
pub mod resize;
mod sandbox;
mod security;
mod start;
pub mod status;
mod sync;
pub(crate) mod worker;
