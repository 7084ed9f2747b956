//! The life of a pod on this node: [`actions`] decides, [`sync`] does, [`status`] reports, and
//! [`worker`] goes round.

pub mod actions;
pub mod backoff;
pub mod status;
