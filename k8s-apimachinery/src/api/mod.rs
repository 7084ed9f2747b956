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

mod convert;
mod edit;
mod error;
mod field;
mod metadata;
mod rules;
mod selector;

pub mod apps;
pub mod autoscaling;
pub mod batch;
pub mod coordination;
pub mod core;
pub mod discovery;
pub mod events;
pub mod rbac;
pub mod storage;

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
            ("", "v1", "Secret") => &core::secret::Secret,
            ("", "v1", "Service") => &core::service::Service,
            ("", "v1", "ServiceAccount") => &core::service_account::ServiceAccount,
            ("apps", "v1", "ControllerRevision") => &apps::controller_revision::ControllerRevision,
            ("apps", "v1", "DaemonSet") => &apps::daemon_set::DaemonSet,
            ("apps", "v1", "Deployment") => &apps::deployment::Deployment,
            ("apps", "v1", "ReplicaSet") => &apps::replica_set::ReplicaSet,
            ("apps", "v1", "StatefulSet") => &apps::stateful_set::StatefulSet,
            ("autoscaling", "v1", "Scale") => &autoscaling::scale::Scale,
            ("autoscaling", "v2", "HorizontalPodAutoscaler") => {
                &autoscaling::horizontal_pod_autoscaler::HorizontalPodAutoscaler
            }
            ("batch", "v1", "CronJob") => &batch::cron_job::CronJob,
            ("batch", "v1", "Job") => &batch::job::Job,
            ("coordination.k8s.io", "v1", "Lease") => &coordination::lease::Lease,
            ("discovery.k8s.io", "v1", "EndpointSlice") => {
                &discovery::endpoint_slice::EndpointSlice
            }
            ("events.k8s.io", "v1", "Event") => &events::event::Event,
            ("rbac.authorization.k8s.io", "v1", "ClusterRole") => &rbac::cluster_role::ClusterRole,
            ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding") => {
                &rbac::cluster_role_binding::ClusterRoleBinding
            }
            ("rbac.authorization.k8s.io", "v1", "Role") => &rbac::role::Role,
            ("rbac.authorization.k8s.io", "v1", "RoleBinding") => &rbac::role_binding::RoleBinding,
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
            _ => return None,
        },
    )
}

#[cfg(test)]
mod testing;
