//! The kinds that every server serves from the start: one line each.

use std::sync::Arc;

use super::{Strategy, apps, coordination, core, discovery, events, policy, rbac};

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
        Arc::new(policy::pod_disruption_budget::PodDisruptionBudget),
        Arc::new(rbac::cluster_role_binding::ClusterRoleBinding),
        Arc::new(rbac::cluster_role::ClusterRole),
        Arc::new(rbac::role_binding::RoleBinding),
        Arc::new(rbac::role::Role),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use jiff::Timestamp;
    use k8s_apimachinery::{Object, api};

    use super::*;

    #[test]
    fn each_kind_has_rules_that_agree_with_its_row_on_namespaces() {
        for strategy in builtin_strategies() {
            let row = strategy.kind();
            let rules = api::rules(&row.gvk()).unwrap_or_else(|| panic!("rules of {}", row.gvk()));
            assert_eq!(rules.is_namespaced(), row.namespaced, "{}", row.gvk());
        }
    }

    #[test]
    fn each_row_has_a_cell_for_each_column() {
        for strategy in builtin_strategies() {
            let cells = strategy.row(&Object::default(), Timestamp::UNIX_EPOCH);
            assert_eq!(
                cells.len(),
                strategy.columns().len(),
                "{}",
                strategy.kind().gvk()
            );
        }
    }

    #[test]
    fn each_selectable_field_has_a_value() {
        for strategy in builtin_strategies() {
            let fields = strategy.fields(&Object::default());
            let names: HashSet<_> = fields.iter().map(|(name, _)| *name).collect();
            for path in strategy.selectable() {
                assert!(names.contains(path), "{path} of {}", strategy.kind().gvk());
            }
        }
    }

    #[test]
    fn no_two_kinds_share_a_plural_in_a_group() {
        let mut seen = HashSet::new();
        for strategy in builtin_strategies() {
            let row = strategy.kind();
            assert!(
                seen.insert((row.group, row.plural.clone())),
                "{}",
                row.plural
            );
        }
    }
}
