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

mod condition;
mod convert;
mod edit;
mod error;
mod field;
mod metadata;
mod rules;
mod selector;

pub mod admissionregistration;
pub mod apiregistration;
pub mod apps;
pub mod authentication;
pub mod authorization;
pub mod autoscaling;
pub mod batch;
pub mod certificates;
pub mod coordination;
pub mod core;
pub mod discovery;
pub mod events;
pub mod flowcontrol;
pub mod networking;
pub mod node;
pub mod policy;
pub mod rbac;
pub mod resource;
pub mod scheduling;
pub mod storage;
pub mod storagemigration;

pub use convert::convert;
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
            ("", "v1", "LimitRange") => &core::limit_range::LimitRange,
            ("", "v1", "Namespace") => &core::namespace::Namespace,
            ("", "v1", "Node") => &core::node::Node,
            ("", "v1", "PersistentVolume") => &core::persistent_volume::PersistentVolume,
            ("", "v1", "PersistentVolumeClaim") => {
                &core::persistent_volume_claim::PersistentVolumeClaim
            }
            ("", "v1", "Pod") => &core::pod::Pod,
            ("", "v1", "PodTemplate") => &core::pod_template::PodTemplate,
            ("", "v1", "ReplicationController") => {
                &core::replication_controller::ReplicationController
            }
            ("", "v1", "ResourceQuota") => &core::resource_quota::ResourceQuota,
            ("", "v1", "Secret") => &core::secret::Secret,
            ("", "v1", "Service") => &core::service::Service,
            ("", "v1", "ServiceAccount") => &core::service_account::ServiceAccount,
            ("admissionregistration.k8s.io", "v1", "MutatingAdmissionPolicy") => {
                &admissionregistration::mutating_admission_policy::MutatingAdmissionPolicy
            }
            ("admissionregistration.k8s.io", "v1", "MutatingAdmissionPolicyBinding") => {
                &admissionregistration::mutating_admission_policy_binding::MutatingAdmissionPolicyBinding
            }
            ("admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration") => {
                &admissionregistration::mutating_webhook_configuration::MutatingWebhookConfiguration
            }
            ("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy") => {
                &admissionregistration::validating_admission_policy::ValidatingAdmissionPolicy
            }
            ("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicyBinding") => {
                &admissionregistration::validating_admission_policy_binding::ValidatingAdmissionPolicyBinding
            }
            ("admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration") => {
                &admissionregistration::validating_webhook_configuration::ValidatingWebhookConfiguration
            }
            ("apiregistration.k8s.io", "v1", "APIService") => {
                &apiregistration::api_service::APIService
            }
            ("apps", "v1", "ControllerRevision") => &apps::controller_revision::ControllerRevision,
            ("apps", "v1", "DaemonSet") => &apps::daemon_set::DaemonSet,
            ("apps", "v1", "Deployment") => &apps::deployment::Deployment,
            ("apps", "v1", "ReplicaSet") => &apps::replica_set::ReplicaSet,
            ("apps", "v1", "StatefulSet") => &apps::stateful_set::StatefulSet,
            ("authentication.k8s.io", "v1", "TokenRequest") => {
                &authentication::token_request::TokenRequest
            }
            ("authorization.k8s.io", "v1", "LocalSubjectAccessReview") => {
                &authorization::local_subject_access_review::LocalSubjectAccessReview
            }
            ("authorization.k8s.io", "v1", "SelfSubjectAccessReview") => {
                &authorization::self_subject_access_review::SelfSubjectAccessReview
            }
            ("authorization.k8s.io", "v1", "SubjectAccessReview") => {
                &authorization::subject_access_review::SubjectAccessReview
            }
            ("autoscaling", "v1", "Scale") => &autoscaling::scale::Scale,
            ("autoscaling", "v2", "HorizontalPodAutoscaler") => {
                &autoscaling::horizontal_pod_autoscaler::HorizontalPodAutoscaler
            }
            ("batch", "v1", "CronJob") => &batch::cron_job::CronJob,
            ("batch", "v1", "Job") => &batch::job::Job,
            ("certificates.k8s.io", "v1", "CertificateSigningRequest") => {
                &certificates::certificate_signing_request::CertificateSigningRequest
            }
            ("certificates.k8s.io", "v1", "ClusterTrustBundle") => {
                &certificates::cluster_trust_bundle::ClusterTrustBundle
            }
            ("certificates.k8s.io", "v1", "PodCertificateRequest") => {
                &certificates::pod_certificate_request::PodCertificateRequest
            }
            ("coordination.k8s.io", "v1", "Lease") => &coordination::lease::Lease,
            ("discovery.k8s.io", "v1", "EndpointSlice") => {
                &discovery::endpoint_slice::EndpointSlice
            }
            ("events.k8s.io", "v1", "Event") => &events::event::Event,
            ("flowcontrol.apiserver.k8s.io", "v1", "FlowSchema") => {
                &flowcontrol::flow_schema::FlowSchema
            }
            ("flowcontrol.apiserver.k8s.io", "v1", "PriorityLevelConfiguration") => {
                &flowcontrol::priority_level_configuration::PriorityLevelConfiguration
            }
            ("networking.k8s.io", "v1", "IPAddress") => &networking::ip_address::IPAddress,
            ("networking.k8s.io", "v1", "Ingress") => &networking::ingress::Ingress,
            ("networking.k8s.io", "v1", "IngressClass") => &networking::ingress_class::IngressClass,
            ("networking.k8s.io", "v1", "NetworkPolicy") => {
                &networking::network_policy::NetworkPolicy
            }
            ("networking.k8s.io", "v1", "ServiceCIDR") => &networking::service_cidr::ServiceCIDR,
            ("node.k8s.io", "v1", "RuntimeClass") => &node::runtime_class::RuntimeClass,
            ("policy", "v1", "Eviction") => &policy::eviction::Eviction,
            ("policy", "v1", "PodDisruptionBudget") => {
                &policy::pod_disruption_budget::PodDisruptionBudget
            }
            ("rbac.authorization.k8s.io", "v1", "ClusterRole") => &rbac::cluster_role::ClusterRole,
            ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding") => {
                &rbac::cluster_role_binding::ClusterRoleBinding
            }
            ("rbac.authorization.k8s.io", "v1", "Role") => &rbac::role::Role,
            ("rbac.authorization.k8s.io", "v1", "RoleBinding") => &rbac::role_binding::RoleBinding,
            ("resource.k8s.io", "v1", "DeviceClass") => &resource::device_class::DeviceClass,
            ("resource.k8s.io", "v1", "DeviceTaintRule") => {
                &resource::device_taint_rule::DeviceTaintRule
            }
            ("resource.k8s.io", "v1", "ResourceClaim") => &resource::resource_claim::ResourceClaim,
            ("resource.k8s.io", "v1", "ResourceClaimTemplate") => {
                &resource::resource_claim_template::ResourceClaimTemplate
            }
            ("resource.k8s.io", "v1", "ResourceSlice") => &resource::resource_slice::ResourceSlice,
            ("scheduling.k8s.io", "v1", "PriorityClass") => {
                &scheduling::priority_class::PriorityClass
            }
            ("storage.k8s.io", "v1", "CSIDriver") => &storage::csi_driver::CsiDriver,
            ("storage.k8s.io", "v1", "CSINode") => &storage::csi_node::CsiNode,
            ("storage.k8s.io", "v1", "CSIStorageCapacity") => {
                &storage::csi_storage_capacity::CsiStorageCapacity
            }
            ("storage.k8s.io", "v1", "StorageClass") => &storage::storage_class::StorageClass,
            ("storage.k8s.io", "v1", "VolumeAttachment") => {
                &storage::volume_attachment::VolumeAttachment
            }
            ("storage.k8s.io", "v1", "VolumeAttributesClass") => {
                &storage::volume_attributes_class::VolumeAttributesClass
            }
            ("storagemigration.k8s.io", "v1", "StorageVersionMigration") => {
                &storagemigration::storage_version_migration::StorageVersionMigration
            }
            _ => return None,
        },
    )
}

#[cfg(test)]
mod testing;
