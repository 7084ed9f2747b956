#![doc = include_str!("../README.md")]

mod amount;
pub mod attach_detach;
pub mod bootstrap;
mod builtin;
pub mod certificates;
mod claim;
pub mod deployment;
pub mod disruption;
mod endpoint;
pub mod endpoint_slice;
pub mod endpoints;
pub mod ephemeral_volume;
pub mod expand;
pub mod garbage_collector;
pub mod local_path;
pub mod namespace;
pub mod node_ipam;
pub mod node_lifecycle;
mod orphan;
pub mod persistent_volume;
pub mod pod_gc;
mod protection;
pub mod pv_protection;
pub mod pvc_protection;
pub mod replica_set;
pub mod resource_quota;
pub mod root_ca;
pub mod service_account;
pub mod stateful_set;
mod template_hash;
pub mod token;
pub mod vac_protection;

pub use builtin::{Builtin, builtins};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_runtime::{Key, Object};

/// The key of an object's controller, if that is of kind `K`.
fn owner_key<K: Object>(object: &ObjectMeta) -> Option<Key> {
    let owner = claim::controller_of(object)?;
    let group = owner
        .api_version
        .split_once('/')
        .map_or("", |(group, _)| group);
    let is_kind = owner.kind == K::kind(&()) && group == K::group(&());
    is_kind.then(|| {
        let namespace = object.namespace.clone().unwrap_or_default();
        Key::new(namespace, owner.name.clone())
    })
}

/// What the API said when it refused, without the client's wrapping: for users to read.
fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}
