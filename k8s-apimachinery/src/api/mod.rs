//! Defaulting and validation, kind by kind; pure.
//!
//! [`rules`] finds the [`Rules`] of a kind. Defaults are edits on the tree; checks walk the tree with
//! a [`Field`] cursor and report every fault at once, in Kubernetes' words. A custom resource has no
//! rules here: its schema speaks for it.
//!
//! ```
//! use k8s_apimachinery::{api, object::Object, scheme::Gvk};
//!
//! let rules = api::rules(&Gvk::new("", "v1", "ConfigMap")).expect("a built-in kind");
//! let object = serde_json::json!({"metadata": {"name": "Bad_Name", "namespace": "default"}});
//! let faults = rules.validate(&Object::from_value(object).expect("an object"));
//! assert_eq!(faults[0].field, "metadata.name");
//! ```

mod edit;
mod error;
mod field;
mod metadata;
mod rules;
mod selector;

pub mod apps;
pub mod autoscaling;
pub mod coordination;
pub mod core;
pub mod discovery;
pub mod events;
pub mod policy;
pub mod rbac;

pub use edit::Edit;
pub use error::{FieldError, FieldErrorKind};
pub use field::{Field, IMMUTABLE, collect, collect_update};
pub use metadata::NameRule;
pub use rules::Rules;

use crate::scheme::Gvk;

/// The rules of a built-in kind.
pub fn rules(gvk: &Gvk) -> Option<&'static dyn Rules> {
    Some(
        match (gvk.group.as_str(), gvk.version.as_str(), gvk.kind.as_str()) {
            ("", "v1", "Binding") => &core::binding::Binding,
            ("", "v1", "ConfigMap") => &core::config_map::ConfigMap,
            ("", "v1", "Endpoints") => &core::endpoints::Endpoints,
            ("", "v1", "Event") => &core::event::Event,
            ("", "v1", "Namespace") => &core::namespace::Namespace,
            ("", "v1", "Node") => &core::node::Node,
            ("", "v1", "Pod") => &core::pod::Pod,
            ("", "v1", "Secret") => &core::secret::Secret,
            ("", "v1", "Service") => &core::service::Service,
            ("", "v1", "ServiceAccount") => &core::service_account::ServiceAccount,
            ("apps", "v1", "Deployment") => &apps::deployment::Deployment,
            ("apps", "v1", "ReplicaSet") => &apps::replica_set::ReplicaSet,
            ("autoscaling", "v1", "Scale") => &autoscaling::scale::Scale,
            ("coordination.k8s.io", "v1", "Lease") => &coordination::lease::Lease,
            ("discovery.k8s.io", "v1", "EndpointSlice") => {
                &discovery::endpoint_slice::EndpointSlice
            }
            ("events.k8s.io", "v1", "Event") => &events::event::Event,
            ("policy", "v1", "PodDisruptionBudget") => {
                &policy::pod_disruption_budget::PodDisruptionBudget
            }
            ("rbac.authorization.k8s.io", "v1", "ClusterRole") => &rbac::cluster_role::ClusterRole,
            ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding") => {
                &rbac::cluster_role_binding::ClusterRoleBinding
            }
            ("rbac.authorization.k8s.io", "v1", "Role") => &rbac::role::Role,
            ("rbac.authorization.k8s.io", "v1", "RoleBinding") => &rbac::role_binding::RoleBinding,
            _ => return None,
        },
    )
}

#[cfg(test)]
mod testing;
