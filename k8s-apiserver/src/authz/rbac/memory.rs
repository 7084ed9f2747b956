//! Roles and bindings held in memory, for tests and for embedders whose policy is fixed.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};

use super::RuleSource;
use crate::authz::bootstrap_policy;

/// A [`RuleSource`] that is filled by hand; adding what is there already replaces it.
#[derive(Debug, Default)]
pub struct MemoryRules(RwLock<Tables>);

#[derive(Debug, Default)]
struct Tables {
    cluster_roles: BTreeMap<String, Arc<ClusterRole>>,
    cluster_bindings: BTreeMap<String, Arc<ClusterRoleBinding>>,
    roles: BTreeMap<(String, String), Arc<Role>>,
    bindings: BTreeMap<(String, String), Arc<RoleBinding>>,
}

impl MemoryRules {
    /// The roles and bindings that every cluster begins with.
    pub fn bootstrap() -> Self {
        let rules = MemoryRules::default();
        for role in bootstrap_policy::cluster_roles() {
            rules.add_cluster_role(role);
        }
        for binding in bootstrap_policy::cluster_role_bindings() {
            rules.add_cluster_role_binding(binding);
        }
        rules
    }

    /// Adds a cluster-wide role.
    pub fn add_cluster_role(&self, role: ClusterRole) {
        let name = role.metadata.name.clone().unwrap_or_default();
        self.write().cluster_roles.insert(name, Arc::new(role));
    }

    /// Adds a cluster-wide binding.
    pub fn add_cluster_role_binding(&self, binding: ClusterRoleBinding) {
        let name = binding.metadata.name.clone().unwrap_or_default();
        self.write()
            .cluster_bindings
            .insert(name, Arc::new(binding));
    }

    /// Adds a role in its namespace.
    pub fn add_role(&self, role: Role) {
        let namespace = role.metadata.namespace.clone().unwrap_or_default();
        let name = role.metadata.name.clone().unwrap_or_default();
        self.write().roles.insert((namespace, name), Arc::new(role));
    }

    /// Adds a binding in its namespace.
    pub fn add_role_binding(&self, binding: RoleBinding) {
        let namespace = binding.metadata.namespace.clone().unwrap_or_default();
        let name = binding.metadata.name.clone().unwrap_or_default();
        self.write()
            .bindings
            .insert((namespace, name), Arc::new(binding));
    }

    // Each write is one insert, so a panicked writer leaves nothing half done.
    fn write(&self) -> RwLockWriteGuard<'_, Tables> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> RwLockReadGuard<'_, Tables> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RuleSource for MemoryRules {
    fn cluster_role_bindings(&self) -> Vec<Arc<ClusterRoleBinding>> {
        self.read().cluster_bindings.values().cloned().collect()
    }

    fn role_bindings(&self, namespace: &str) -> Vec<Arc<RoleBinding>> {
        let tables = self.read();
        let in_namespace = tables
            .bindings
            .iter()
            .filter(|((ns, _), _)| ns == namespace);
        in_namespace
            .map(|(_, binding)| Arc::clone(binding))
            .collect()
    }

    fn cluster_role(&self, name: &str) -> Option<Arc<ClusterRole>> {
        self.read().cluster_roles.get(name).cloned()
    }

    fn role(&self, namespace: &str, name: &str) -> Option<Arc<Role>> {
        self.read()
            .roles
            .get(&(namespace.to_owned(), name.to_owned()))
            .cloned()
    }
}
