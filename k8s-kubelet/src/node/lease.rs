//! The node's lease: renewed at intervals, so that its silence is noticed.

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, OwnerReference},
};
use kube::{
    Api,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};

/// Where nodes' leases are.
pub(super) const NAMESPACE: &str = "kube-node-lease";
/// A lease that isn't renewed for so long says that the node is silent.
const DURATION: i32 = 40;

/// Renews the lease, making it if it doesn't exist.
pub(super) async fn renew(
    api: &Api<Lease>,
    node: &str,
    node_uid: &str,
    now: Timestamp,
) -> Result<(), kube::Error> {
    let spec = LeaseSpec {
        holder_identity: Some(node.to_owned()),
        lease_duration_seconds: Some(DURATION),
        renew_time: Some(MicroTime(now)),
        ..LeaseSpec::default()
    };
    let change = serde_json::json!({"spec": spec});
    match api
        .patch(node, &PatchParams::default(), &Patch::Merge(change))
        .await
    {
        Err(kube::Error::Api(status)) if status.is_not_found() => {
            let lease = Lease {
                metadata: ObjectMeta {
                    name: Some(node.to_owned()),
                    namespace: Some(NAMESPACE.to_owned()),
                    owner_references: Some(vec![OwnerReference {
                        api_version: "v1".into(),
                        kind: "Node".into(),
                        name: node.to_owned(),
                        uid: node_uid.to_owned(),
                        ..OwnerReference::default()
                    }]),
                    ..ObjectMeta::default()
                },
                spec: Some(spec),
            };
            api.create(&PostParams::default(), &lease).await.map(drop)
        }
        renewed => renewed.map(drop),
    }
}
