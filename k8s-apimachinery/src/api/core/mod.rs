//! Kinds of the core group.

pub mod binding;
pub mod config_map;
pub mod endpoints;
pub mod event;
pub mod label_keys;
pub mod limit_range;
pub mod namespace;
pub mod node;
pub mod persistent_volume;
pub mod persistent_volume_claim;
pub mod pod;
mod pod_gated;
mod pod_resize;
mod pod_spec;
mod pod_status;
pub mod pod_template;
mod pod_update;
pub mod replication_controller;
mod resource_name;
pub mod resource_quota;
pub mod secret;
pub mod service;
pub mod service_account;
mod volume_source;

pub(super) use pod_spec::{check_overhead, check_toleration, port_name_faults};
