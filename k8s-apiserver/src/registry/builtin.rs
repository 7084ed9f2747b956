//! The kinds that every server serves from the start: one line each.

use std::sync::Arc;

use super::{Strategy, apps, coordination, core, discovery, events, rbac};

/// The strategies of all built-in kinds, in the order in which discovery lists them.
pub fn builtin_strategies() -> Vec<Arc<dyn Strategy>> {
    vec![
        Arc::new(core::config_map::ConfigMap),
        Arc::new(core::endpoints::Endpoints),
        Arc::new(core::event::Event),
        Arc::new(core::namespace::Namespace),
        Arc::new(core::node::Node),
        Arc::new(core::pod::Pod),
        Arc::new(core::secret::Secret),
        Arc::new(core::service_account::ServiceAccount),
        Arc::new(core::service::Service),
        Arc::new(apps::deployment::Deployment),
        Arc::new(apps::replica_set::ReplicaSet),
        Arc::new(coordination::lease::Lease),
        Arc::new(discovery::endpoint_slice::EndpointSlice),
        Arc::new(events::event::Event),
        Arc::new(rbac::cluster_role_binding::ClusterRoleBinding),
        Arc::new(rbac::cluster_role::ClusterRole),
        Arc::new(rbac::role_binding::RoleBinding),
        Arc::new(rbac::role::Role),
    ]
}
