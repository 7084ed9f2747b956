//! Kinds of `apps`.

pub(super) mod deployment;
pub(super) mod replica_set;
