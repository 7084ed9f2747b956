//! The kinds that every server serves from the start: one line each.

use std::sync::Arc;

use super::{
    Strategy, admissionregistration, apiregistration, apps, autoscaling, batch, certificates,
    coordination, core, device, discovery, events, flowcontrol, networking, node, policy, rbac,
    scheduling, storage, storagemigration,
};

/// The strategies of all built-in kinds, in the order in which discovery lists them.
pub fn builtin_strategies() -> Vec<Arc<dyn Strategy>> {
    vec![
        Arc::new(core::config_map::ConfigMap),
        Arc::new(core::endpoints::Endpoints),
        Arc::new(core::event::Event),
        Arc::new(core::limit_range::LimitRange),
        Arc::new(core::namespace::Namespace),
        Arc::new(core::node::Node),
        Arc::new(core::persistent_volume_claim::PersistentVolumeClaim),
        Arc::new(core::persistent_volume::PersistentVolume),
        Arc::new(core::pod_template::PodTemplate),
        Arc::new(core::pod::Pod),
        Arc::new(core::replication_controller::ReplicationController),
        Arc::new(core::resource_quota::ResourceQuota),
        Arc::new(core::secret::Secret),
        Arc::new(core::service_account::ServiceAccount),
        Arc::new(core::service::Service),
        Arc::new(admissionregistration::mutating_admission_policy_binding::MutatingAdmissionPolicyBinding),
        Arc::new(admissionregistration::mutating_admission_policy::MutatingAdmissionPolicy),
        Arc::new(admissionregistration::mutating_webhook_configuration::MutatingWebhookConfiguration),
        Arc::new(admissionregistration::validating_admission_policy_binding::ValidatingAdmissionPolicyBinding),
        Arc::new(admissionregistration::validating_admission_policy::ValidatingAdmissionPolicy),
        Arc::new(admissionregistration::validating_webhook_configuration::ValidatingWebhookConfiguration),
        Arc::new(apiregistration::api_service::APIService),
        Arc::new(apps::controller_revision::ControllerRevision),
        Arc::new(apps::daemon_set::DaemonSet),
        Arc::new(apps::deployment::Deployment),
        Arc::new(apps::replica_set::ReplicaSet),
        Arc::new(apps::stateful_set::StatefulSet),
        Arc::new(autoscaling::horizontal_pod_autoscaler::HorizontalPodAutoscaler),
        Arc::new(batch::cron_job::CronJob),
        Arc::new(batch::job::Job),
        Arc::new(certificates::certificate_signing_request::CertificateSigningRequest),
        Arc::new(certificates::cluster_trust_bundle::ClusterTrustBundle),
        Arc::new(certificates::pod_certificate_request::PodCertificateRequest),
        Arc::new(coordination::lease::Lease),
        Arc::new(discovery::endpoint_slice::EndpointSlice),
        Arc::new(events::event::Event),
        Arc::new(flowcontrol::flow_schema::FlowSchema),
        Arc::new(flowcontrol::priority_level_configuration::PriorityLevelConfiguration),
        Arc::new(networking::ingress_class::IngressClass),
        Arc::new(networking::ingress::Ingress),
        Arc::new(networking::ip_address::IPAddress),
        Arc::new(networking::network_policy::NetworkPolicy),
        Arc::new(networking::service_cidr::ServiceCIDR),
        Arc::new(node::runtime_class::RuntimeClass),
        Arc::new(policy::pod_disruption_budget::PodDisruptionBudget),
        Arc::new(rbac::cluster_role_binding::ClusterRoleBinding),
        Arc::new(rbac::cluster_role::ClusterRole),
        Arc::new(rbac::role_binding::RoleBinding),
        Arc::new(rbac::role::Role),
        Arc::new(device::device_class::DeviceClass),
        Arc::new(device::device_taint_rule::DeviceTaintRule),
        Arc::new(device::resource_claim::ResourceClaim),
        Arc::new(device::resource_claim_template::ResourceClaimTemplate),
        Arc::new(device::resource_slice::ResourceSlice),
        Arc::new(scheduling::priority_class::PriorityClass),
        Arc::new(storage::csi_driver::CsiDriver),
        Arc::new(storage::csi_node::CsiNode),
        Arc::new(storage::csi_storage_capacity::CsiStorageCapacity),
        Arc::new(storage::storage_class::StorageClass),
        Arc::new(storage::volume_attachment::VolumeAttachment),
        Arc::new(storage::volume_attributes_class::VolumeAttributesClass),
        Arc::new(storagemigration::storage_version_migration::StorageVersionMigration),
    ]
}

#[cfg(test)]
mod page;

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
