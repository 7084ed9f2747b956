//! The protobuf form of each maximal object, against `k8s-pb`: types that others made from Kubernetes' own messages.
//!
//! What we write, it reads and writes again: the same bytes, so no field is lost, misplaced or written in another way.
//! What it wrote, we read: the same tree. Once with every field set, once with zeros in all of them.

use k8s_apimachinery::{
    Value,
    scheme::{Gvk, Schema, normalise, protobuf},
};
use k8s_pb::{
    api::{
        admissionregistration::v1 as admission, admissionregistration::v1beta1 as admission_beta,
        apps::v1 as apps, authentication::v1 as authentication, authorization::v1 as authorization,
        autoscaling::v1 as autoscaling, autoscaling::v2 as autoscaling_v2, batch::v1 as batch,
        certificates::v1beta1 as certificates, coordination::v1 as coordination, core::v1 as core,
        discovery::v1 as discovery, events::v1 as events, flowcontrol::v1 as flowcontrol,
        networking::v1 as networking, node::v1 as node, policy::v1 as policy, rbac::v1 as rbac,
        resource::v1 as resource, resource::v1alpha3 as resource_alpha,
        scheduling::v1 as scheduling, storage::v1 as storage,
        storagemigration::v1beta1 as migration,
    },
    apimachinery::pkg::runtime::Unknown,
    kube_aggregator::pkg::apis::apiregistration::v1 as apiregistration,
};
use prost::Message;

use crate::{
    node::differences,
    sample::{Sample, samples},
};

/// Reads a message and writes it again.
type Reread = fn(&[u8]) -> Vec<u8>;

fn reread<M: Message + Default>(raw: &[u8]) -> Vec<u8> {
    let read = M::decode(raw).expect("an independent reader reads the message");
    read.encode_to_vec()
}

/// The types of `k8s-pb` by kind; of a kind that it has no stable version of, an earlier one with the same numbers.
fn reader(kind: &str) -> Reread {
    match kind {
        "admissionregistration.k8s.io/v1, Kind=MutatingAdmissionPolicy" => {
            reread::<admission_beta::MutatingAdmissionPolicy>
        }
        "admissionregistration.k8s.io/v1, Kind=MutatingAdmissionPolicyBinding" => {
            reread::<admission_beta::MutatingAdmissionPolicyBinding>
        }
        "admissionregistration.k8s.io/v1, Kind=MutatingWebhookConfiguration" => {
            reread::<admission::MutatingWebhookConfiguration>
        }
        "admissionregistration.k8s.io/v1, Kind=ValidatingAdmissionPolicy" => {
            reread::<admission::ValidatingAdmissionPolicy>
        }
        "admissionregistration.k8s.io/v1, Kind=ValidatingAdmissionPolicyBinding" => {
            reread::<admission::ValidatingAdmissionPolicyBinding>
        }
        "admissionregistration.k8s.io/v1, Kind=ValidatingWebhookConfiguration" => {
            reread::<admission::ValidatingWebhookConfiguration>
        }
        "apiregistration.k8s.io/v1, Kind=APIService" => reread::<apiregistration::APIService>,
        "apps/v1, Kind=ControllerRevision" => reread::<apps::ControllerRevision>,
        "apps/v1, Kind=DaemonSet" => reread::<apps::DaemonSet>,
        "apps/v1, Kind=Deployment" => reread::<apps::Deployment>,
        "apps/v1, Kind=ReplicaSet" => reread::<apps::ReplicaSet>,
        "apps/v1, Kind=StatefulSet" => reread::<apps::StatefulSet>,
        "authentication.k8s.io/v1, Kind=TokenRequest" => reread::<authentication::TokenRequest>,
        "autoscaling/v1, Kind=Scale" => reread::<autoscaling::Scale>,
        "autoscaling/v2, Kind=HorizontalPodAutoscaler" => {
            reread::<autoscaling_v2::HorizontalPodAutoscaler>
        }
        "batch/v1, Kind=CronJob" => reread::<batch::CronJob>,
        "batch/v1, Kind=Job" => reread::<batch::Job>,
        "certificates.k8s.io/v1, Kind=ClusterTrustBundle" => {
            reread::<certificates::ClusterTrustBundle>
        }
        "certificates.k8s.io/v1, Kind=PodCertificateRequest" => {
            reread::<certificates::PodCertificateRequest>
        }
        "coordination.k8s.io/v1, Kind=Lease" => reread::<coordination::Lease>,
        "/v1, Kind=Binding" => reread::<core::Binding>,
        "/v1, Kind=ConfigMap" => reread::<core::ConfigMap>,
        "/v1, Kind=Endpoints" => reread::<core::Endpoints>,
        "/v1, Kind=Event" => reread::<core::Event>,
        "/v1, Kind=Namespace" => reread::<core::Namespace>,
        "/v1, Kind=Node" => reread::<core::Node>,
        "/v1, Kind=PersistentVolume" => reread::<core::PersistentVolume>,
        "/v1, Kind=PersistentVolumeClaim" => reread::<core::PersistentVolumeClaim>,
        "/v1, Kind=Pod" => reread::<core::Pod>,
        "/v1, Kind=PodTemplate" => reread::<core::PodTemplate>,
        "/v1, Kind=ReplicationController" => reread::<core::ReplicationController>,
        "/v1, Kind=Secret" => reread::<core::Secret>,
        "/v1, Kind=Service" => reread::<core::Service>,
        "/v1, Kind=ServiceAccount" => reread::<core::ServiceAccount>,
        "discovery.k8s.io/v1, Kind=EndpointSlice" => reread::<discovery::EndpointSlice>,
        "events.k8s.io/v1, Kind=Event" => reread::<events::Event>,
        "flowcontrol.apiserver.k8s.io/v1, Kind=FlowSchema" => reread::<flowcontrol::FlowSchema>,
        "flowcontrol.apiserver.k8s.io/v1, Kind=PriorityLevelConfiguration" => {
            reread::<flowcontrol::PriorityLevelConfiguration>
        }
        "networking.k8s.io/v1, Kind=IPAddress" => reread::<networking::IPAddress>,
        "networking.k8s.io/v1, Kind=Ingress" => reread::<networking::Ingress>,
        "networking.k8s.io/v1, Kind=IngressClass" => reread::<networking::IngressClass>,
        "networking.k8s.io/v1, Kind=NetworkPolicy" => reread::<networking::NetworkPolicy>,
        "networking.k8s.io/v1, Kind=ServiceCIDR" => reread::<networking::ServiceCIDR>,
        "node.k8s.io/v1, Kind=RuntimeClass" => reread::<node::RuntimeClass>,
        "rbac.authorization.k8s.io/v1, Kind=ClusterRole" => reread::<rbac::ClusterRole>,
        "rbac.authorization.k8s.io/v1, Kind=ClusterRoleBinding" => {
            reread::<rbac::ClusterRoleBinding>
        }
        "rbac.authorization.k8s.io/v1, Kind=Role" => reread::<rbac::Role>,
        "rbac.authorization.k8s.io/v1, Kind=RoleBinding" => reread::<rbac::RoleBinding>,
        "resource.k8s.io/v1, Kind=DeviceClass" => reread::<resource::DeviceClass>,
        "resource.k8s.io/v1, Kind=DeviceTaintRule" => reread::<resource_alpha::DeviceTaintRule>,
        "resource.k8s.io/v1, Kind=ResourceClaim" => reread::<resource::ResourceClaim>,
        "resource.k8s.io/v1, Kind=ResourceClaimTemplate" => {
            reread::<resource::ResourceClaimTemplate>
        }
        "resource.k8s.io/v1, Kind=ResourceSlice" => reread::<resource::ResourceSlice>,
        "scheduling.k8s.io/v1, Kind=PriorityClass" => reread::<scheduling::PriorityClass>,
        "storage.k8s.io/v1, Kind=CSIDriver" => reread::<storage::CSIDriver>,
        "storage.k8s.io/v1, Kind=CSINode" => reread::<storage::CSINode>,
        "storage.k8s.io/v1, Kind=CSIStorageCapacity" => reread::<storage::CSIStorageCapacity>,
        "storage.k8s.io/v1, Kind=StorageClass" => reread::<storage::StorageClass>,
        "storage.k8s.io/v1, Kind=VolumeAttachment" => reread::<storage::VolumeAttachment>,
        "storage.k8s.io/v1, Kind=VolumeAttributesClass" => reread::<storage::VolumeAttributesClass>,
        "storagemigration.k8s.io/v1, Kind=StorageVersionMigration" => {
            reread::<migration::StorageVersionMigration>
        }
        "authentication.k8s.io/v1, Kind=SelfSubjectReview" => {
            reread::<authentication::SelfSubjectReview>
        }
        "authentication.k8s.io/v1, Kind=TokenReview" => reread::<authentication::TokenReview>,
        "authorization.k8s.io/v1, Kind=LocalSubjectAccessReview" => {
            reread::<authorization::LocalSubjectAccessReview>
        }
        "authorization.k8s.io/v1, Kind=SelfSubjectAccessReview" => {
            reread::<authorization::SelfSubjectAccessReview>
        }
        "authorization.k8s.io/v1, Kind=SelfSubjectRulesReview" => {
            reread::<authorization::SelfSubjectRulesReview>
        }
        "authorization.k8s.io/v1, Kind=SubjectAccessReview" => {
            reread::<authorization::SubjectAccessReview>
        }
        "certificates.k8s.io/v1, Kind=CertificateSigningRequest" => {
            reread::<certificates::CertificateSigningRequest>
        }
        "/v1, Kind=ComponentStatus" => reread::<core::ComponentStatus>,
        "/v1, Kind=LimitRange" => reread::<core::LimitRange>,
        "/v1, Kind=ResourceQuota" => reread::<core::ResourceQuota>,
        "policy/v1, Kind=Eviction" => reread::<policy::Eviction>,
        "policy/v1, Kind=PodDisruptionBudget" => reread::<policy::PodDisruptionBudget>,
        "autoscaling/v1, Kind=HorizontalPodAutoscaler" => {
            reread::<autoscaling::HorizontalPodAutoscaler>
        }
        other => panic!("no independent reader is named for {other}"),
    }
}

/// Checks one object. Its bytes are the same, but where a map has an empty value, which `prost` leaves out: with
/// `has_zeros`, or under a field that only we have.
#[track_caller]
fn check(sample: &Sample, tree: &Value, has_zeros: bool) {
    let body = protobuf::encode(tree).unwrap_or_else(|error| panic!("{}: {error}", sample.name));
    let unknown = body.strip_prefix(protobuf::MAGIC).expect("a magic number");
    let mut unknown = Unknown::decode(unknown).expect("an envelope");
    let raw = unknown.raw.take().unwrap_or_default();
    // A sample of one version may be stored in another.
    let text = |field: &str| tree[field].as_str().unwrap_or_default();
    let own = Gvk::from_api_version(text("apiVersion"), text("kind"));
    let again = reader(&own.to_string())(&raw);
    unknown.raw = Some(again.clone());
    let body = [protobuf::MAGIC, &unknown.encode_to_vec()].concat();
    let (gvk, read) =
        protobuf::decode(&body).unwrap_or_else(|error| panic!("{}: {error}", sample.name));
    assert_eq!(gvk, own);
    let lost = differences(tree, &read);
    assert!(
        raw == again || has_zeros || !lost.is_empty(),
        "{}",
        sample.name
    );
    let unexpected: Vec<_> = lost
        .iter()
        .filter(|path| !is_without_number(&gvk.kind, path))
        .collect();
    assert!(unexpected.is_empty(), "{}: {unexpected:#?}", sample.name);
}

/// The fields that the table of numbers doesn't have, by kind and a part of their path: younger than its source, or a
/// kind within a kind, which never says in protobuf what it is.
const WITHOUT_NUMBER: [(&str, &str); 19] = [
    ("CSIDriver", "spec.preventPodSchedulingIfMissing"),
    ("CSINode", ".status"),
    (
        "HorizontalPodAutoscaler",
        "status.conditions[0].observedGeneration",
    ),
    ("Eviction", ".deleteOptions.apiVersion"),
    ("Eviction", ".deleteOptions.kind"),
    ("Node", "spec.podPreemptionPolicy"),
    ("Node", "status.nodeInfo.runningInUserNamespace"),
    ("Pod", "allocatedResourcesStatus[0].resources[0].message"),
    ("PodCertificateRequest", "spec.stubPKCS10Request"),
    ("ResourceClaim", "derivedAttributes"),
    ("ResourceClaim", "skipNodeOperations"),
    ("ResourceClaimTemplate", "derivedAttributes"),
    ("ResourceSlice", "devices[0].attributes"),
    ("ResourceSlice", "compatibilityGroups"),
    ("ResourceSlice", "nodeAllocatableResources"),
    ("ResourceSlice", "partitionTypeAttribute"),
    ("ResourceSlice", "skipNodeOperations"),
    ("StatefulSet", "volumeClaimTemplates[0].apiVersion"),
    ("StatefulSet", "volumeClaimTemplates[0].kind"),
];

fn is_without_number(kind: &str, path: &str) -> bool {
    let mut fields = WITHOUT_NUMBER.iter();
    fields.any(|(of, field)| *of == kind && path.contains(field))
}

#[test]
fn maximal_objects_are_the_same_to_an_independent_reader() {
    for sample in samples() {
        for document in &sample.documents {
            let object = sample.read(document.clone()).expect("it can be read");
            check(&sample, &object.into_value(), false);
        }
    }
}

#[test]
fn zeros_are_the_same_to_an_independent_reader() {
    for sample in samples() {
        for document in &sample.documents {
            let mut tree = document.clone();
            clear(&sample.schema(), &mut tree);
            for field in ["apiVersion", "kind"] {
                tree[field] = document[field].clone();
            }
            normalise(&sample.schema(), &mut tree).expect("zeros are of the right types");
            check(&sample, &tree, true);
        }
    }
}

/// Turns every text, number and flag below into its zero. Embedded JSON stays: it is one value.
fn clear(schema: &Schema, value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                if let Some(schema) = schema.child(name) {
                    clear(schema, value);
                }
            }
        }
        Value::Array(list) => {
            if let Some(schema) = schema.items() {
                list.iter_mut().for_each(|item| clear(schema, item));
            }
        }
        Value::Number(number) => *number = 0.into(),
        Value::Bool(flag) => *flag = false,
        Value::String(text) => {
            *text = match schema.go_type().as_str() {
                "resource.Quantity" => "0".to_owned(),
                "string" if is_time(schema) => "1970-01-01T00:00:00Z".to_owned(),
                _ => String::new(),
            }
        }
        Value::Null => {}
    }
}

fn is_time(schema: &Schema) -> bool {
    use k8s_apimachinery::scheme::schema::Shape;
    matches!(schema.shape(), Shape::Time | Shape::MicroTime)
}
