//! Admission: what may veto or complete a write after it was authorized and before it is stored.
//!
//! The trait is here, each plugin has a file of its own. Plugins run in the order in which they are configured: first
//! all mutate, then the object is validated, then all validate. None performs a write: what must be written together
//! with the object (a charge, an allocation) is returned as [`Effects`] and commits in the same transaction.

mod always_pull_images;
mod certificate_approval;
mod certificate_signing;
mod certificate_subject_restriction;
mod cluster_trust_bundle_attest;
mod default_class;
mod default_ingress_class;
mod default_storage_class;
mod default_toleration_seconds;
mod deny_service_external_ips;
mod escalation;
mod extended_resource_toleration;
mod limit_pod_hard_anti_affinity_topology;
mod limit_ranger;
mod namespace_exists;
mod namespace_lifecycle;
mod node_restriction;
mod persistent_volume_claim_resize;
mod pod_node_selector;
mod pod_resize_validator;
mod pod_security;
mod pod_topology_labels;
mod priority;
mod resource_quota;
mod runtime_class;
mod service_account;
mod storage_object_in_use_protection;
mod taint_nodes_by_condition;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod world;

use std::sync::Arc;

use async_trait::async_trait;
use k8s_apimachinery::Object;

pub use always_pull_images::AlwaysPullImages;
pub use certificate_approval::CertificateApproval;
pub use certificate_signing::CertificateSigning;
pub use certificate_subject_restriction::CertificateSubjectRestriction;
pub use cluster_trust_bundle_attest::ClusterTrustBundleAttest;
pub use default_ingress_class::DefaultIngressClass;
pub use default_storage_class::DefaultStorageClass;
pub use default_toleration_seconds::DefaultTolerationSeconds;
pub use deny_service_external_ips::DenyServiceExternalIPs;
pub use escalation::Escalation;
pub use extended_resource_toleration::ExtendedResourceToleration;
pub use limit_pod_hard_anti_affinity_topology::LimitPodHardAntiAffinityTopology;
pub use limit_ranger::LimitRanger;
pub use namespace_exists::NamespaceExists;
pub use namespace_lifecycle::NamespaceLifecycle;
pub use node_restriction::NodeRestriction;
pub use persistent_volume_claim_resize::PersistentVolumeClaimResize;
pub use pod_node_selector::PodNodeSelector;
pub use pod_resize_validator::PodResizeValidator;
pub use pod_security::{Exemptions, PodSecurity};
pub use pod_topology_labels::PodTopologyLabels;
pub use priority::Priority;
pub use resource_quota::ResourceQuota;
pub use runtime_class::RuntimeClass;
pub use service_account::ServiceAccount;
pub use storage_object_in_use_protection::StorageObjectInUseProtection;
pub use taint_nodes_by_condition::TaintNodesByCondition;

use crate::{
    ApiError, User,
    registry::{Effects, Notices, Resource, View},
};

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A new object; also what is posted to a subresource.
    Create,
    /// An object or a part of it is replaced or patched.
    Update,
    /// An object's deletion begins.
    Delete,
    /// A stream is opened: `exec`, `portforward`.
    Connect,
}

/// A write as admission sees it.
#[derive(Debug)]
pub struct Review<'a> {
    /// What is being done.
    pub operation: Operation,
    /// To what kind.
    pub resource: &'a Resource,
    /// `status`, `binding`; empty for the object itself.
    pub subresource: &'a str,
    /// Where; empty for cluster-scoped objects.
    pub namespace: &'a str,
    /// The object's name; generated names are known already.
    pub name: &'a str,
    /// The stored object, if there is one.
    pub old: Option<&'a Object>,
    /// Who writes.
    pub user: &'a User,
    /// Nothing will be committed.
    pub dry_run: bool,
    /// Takes warnings for the client and annotations for the audit log.
    pub notices: &'a Notices,
    /// The newest committed state.
    pub view: View<'a>,
}

impl Review<'_> {
    /// Whether this is the creation of an object of that group and plural.
    pub fn creates(&self, group: &str, plural: &str) -> bool {
        self.operation == Operation::Create && self.is(group, plural)
    }

    /// Whether the object itself, not a subresource, is of that group and plural.
    pub fn is(&self, group: &str, plural: &str) -> bool {
        self.subresource.is_empty()
            && self.resource.row.group == group
            && self.resource.row.plural == plural
    }

    /// `403 Forbidden`, with the reason.
    pub fn forbidden(&self, detail: impl Into<String>) -> ApiError {
        ApiError::Forbidden {
            resource: self.resource.name(),
            name: self.name.to_owned(),
            detail: detail.into(),
        }
    }
}

/// An admission plugin. Both methods may run several times for one request, when a race is lost.
#[async_trait]
pub trait Admission: Send + Sync + 'static {
    /// The plugin's name, as in `--enable-admission-plugins`.
    fn name(&self) -> &'static str;

    /// Completes the new object, or refuses it. Not called for deletes.
    async fn mutate(&self, _review: &Review<'_>, _object: &mut Object) -> Result<(), ApiError> {
        Ok(())
    }

    /// Refuses the change, or lets it pass and says what goes with it. A delete has no new object.
    async fn validate(
        &self,
        _review: &Review<'_>,
        _object: Option<&Object>,
    ) -> Result<Effects, ApiError> {
        Ok(Effects::default())
    }

    /// Says what goes with the removal of an object, which can't be refused any more: its deletion was reviewed when it
    /// began, its finalizers and its grace are over.
    fn remove(&self, _review: &Review<'_>, _old: &Object) -> Effects {
        Effects::default()
    }
}

/// Whether a write is to a subresource of a CertificateSigningRequest.
fn is_signing_request(review: &Review<'_>, subresource: &str) -> bool {
    let row = &review.resource.row;
    row.group == "certificates.k8s.io"
        && row.plural == "certificatesigningrequests"
        && review.subresource == subresource
}

/// The plugins that are on by default, in Kubernetes' order.
pub fn default_plugins() -> Vec<Arc<dyn Admission>> {
    vec![
        Arc::new(NamespaceLifecycle),
        Arc::new(LimitRanger),
        Arc::new(ServiceAccount),
        Arc::new(NodeRestriction),
        Arc::new(TaintNodesByCondition),
        Arc::new(PodSecurity::default()),
        Arc::new(Priority),
        Arc::new(DefaultTolerationSeconds),
        Arc::new(DefaultStorageClass),
        Arc::new(StorageObjectInUseProtection),
        Arc::new(PersistentVolumeClaimResize),
        Arc::new(RuntimeClass),
        Arc::new(DefaultIngressClass),
        Arc::new(PodTopologyLabels),
        Arc::new(PodResizeValidator),
        Arc::new(ResourceQuota),
    ]
}
