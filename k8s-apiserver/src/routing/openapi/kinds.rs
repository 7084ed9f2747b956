//! The kinds whose texts `k8s-openapi` carries: one line each.

use k8s_apimachinery::scheme::gvk::Gvk;
use k8s_openapi::{
    Resource,
    api::{
        admissionregistration, apps, authentication, authorization, autoscaling, batch,
        certificates, coordination, core, discovery, events, flowcontrol, networking, node, policy,
        rbac, resource, scheduling, storage, storagemigration,
    },
    kube_aggregator::pkg::apis::apiregistration,
    schemars::{JsonSchema, Schema, SchemaGenerator},
};

/// Adds a kind and all that it is made of to the generator's definitions; answers with a reference to it.
pub(super) type Describe = fn(&mut SchemaGenerator) -> Schema;

/// The texts of a kind, if it is a built-in one.
pub(super) fn describe(gvk: &Gvk) -> Option<Describe> {
    KINDS
        .iter()
        .find(|(group, version, kind, _)| {
            *group == gvk.group && *version == gvk.version && *kind == gvk.kind
        })
        .map(|(.., describe)| *describe)
}

type Row = (&'static str, &'static str, &'static str, Describe);

const fn row<K: Resource + JsonSchema>() -> Row {
    (K::GROUP, K::VERSION, K::KIND, |generator| {
        generator.subschema_for::<K>()
    })
}

static KINDS: &[Row] = &[
    row::<core::v1::Binding>(),
    row::<core::v1::ComponentStatus>(),
    row::<core::v1::ConfigMap>(),
    row::<core::v1::Endpoints>(),
    row::<core::v1::Event>(),
    row::<core::v1::LimitRange>(),
    row::<core::v1::Namespace>(),
    row::<core::v1::Node>(),
    row::<core::v1::PersistentVolume>(),
    row::<core::v1::PersistentVolumeClaim>(),
    row::<core::v1::Pod>(),
    row::<core::v1::PodTemplate>(),
    row::<core::v1::ReplicationController>(),
    row::<core::v1::ResourceQuota>(),
    row::<core::v1::Secret>(),
    row::<core::v1::Service>(),
    row::<core::v1::ServiceAccount>(),
    row::<admissionregistration::v1::MutatingAdmissionPolicy>(),
    row::<admissionregistration::v1::MutatingAdmissionPolicyBinding>(),
    row::<admissionregistration::v1::MutatingWebhookConfiguration>(),
    row::<admissionregistration::v1::ValidatingAdmissionPolicy>(),
    row::<admissionregistration::v1::ValidatingAdmissionPolicyBinding>(),
    row::<admissionregistration::v1::ValidatingWebhookConfiguration>(),
    row::<apiregistration::v1::APIService>(),
    row::<apps::v1::ControllerRevision>(),
    row::<apps::v1::DaemonSet>(),
    row::<apps::v1::Deployment>(),
    row::<apps::v1::ReplicaSet>(),
    row::<apps::v1::StatefulSet>(),
    row::<authentication::v1::SelfSubjectReview>(),
    row::<authentication::v1::TokenRequest>(),
    row::<authentication::v1::TokenReview>(),
    row::<authorization::v1::LocalSubjectAccessReview>(),
    row::<authorization::v1::SelfSubjectAccessReview>(),
    row::<authorization::v1::SelfSubjectRulesReview>(),
    row::<authorization::v1::SubjectAccessReview>(),
    row::<autoscaling::v1::HorizontalPodAutoscaler>(),
    row::<autoscaling::v1::Scale>(),
    row::<autoscaling::v2::HorizontalPodAutoscaler>(),
    row::<batch::v1::CronJob>(),
    row::<batch::v1::Job>(),
    row::<certificates::v1::CertificateSigningRequest>(),
    row::<certificates::v1::ClusterTrustBundle>(),
    row::<certificates::v1::PodCertificateRequest>(),
    row::<coordination::v1::Lease>(),
    row::<discovery::v1::EndpointSlice>(),
    row::<events::v1::Event>(),
    row::<flowcontrol::v1::FlowSchema>(),
    row::<flowcontrol::v1::PriorityLevelConfiguration>(),
    row::<networking::v1::IPAddress>(),
    row::<networking::v1::Ingress>(),
    row::<networking::v1::IngressClass>(),
    row::<networking::v1::NetworkPolicy>(),
    row::<networking::v1::ServiceCIDR>(),
    row::<node::v1::RuntimeClass>(),
    row::<policy::v1::Eviction>(),
    row::<policy::v1::PodDisruptionBudget>(),
    row::<rbac::v1::ClusterRole>(),
    row::<rbac::v1::ClusterRoleBinding>(),
    row::<rbac::v1::Role>(),
    row::<rbac::v1::RoleBinding>(),
    row::<resource::v1::DeviceClass>(),
    row::<resource::v1::DeviceTaintRule>(),
    row::<resource::v1::ResourceClaim>(),
    row::<resource::v1::ResourceClaimTemplate>(),
    row::<resource::v1::ResourceSlice>(),
    row::<scheduling::v1::PriorityClass>(),
    row::<storage::v1::CSIDriver>(),
    row::<storage::v1::CSINode>(),
    row::<storage::v1::CSIStorageCapacity>(),
    row::<storage::v1::StorageClass>(),
    row::<storage::v1::VolumeAttachment>(),
    row::<storage::v1::VolumeAttributesClass>(),
    row::<storagemigration::v1::StorageVersionMigration>(),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::builtin_strategies;

    #[test]
    fn each_served_kind_has_texts() {
        for strategy in builtin_strategies() {
            let gvk = strategy.kind().gvk();
            assert!(describe(&gvk).is_some(), "{gvk}");
        }
    }
}
