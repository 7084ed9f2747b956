//! Kinds of `rbac.authorization.k8s.io`, and what they are made of.

pub mod cluster_role;
pub mod cluster_role_binding;
pub mod role;
pub mod role_binding;

mod binding;
mod policy_rule;

/// The group that roles belong to.
const GROUP: &str = "rbac.authorization.k8s.io";
