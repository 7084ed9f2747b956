//! The service by which pods find this server: `kube-dns` in `kube-system`, as every cluster has it.

use std::net::IpAddr;

use k8s_openapi::api::{core::v1::Service, discovery::v1::EndpointSlice};
use kube::{
    Api, Client, Resource,
    api::{Patch, PatchParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// Where the objects live.
const NAMESPACE: &str = "kube-system";
/// What they are called, for historical reasons.
const NAME: &str = "kube-dns";
/// Owner of the fields that are applied.
const MANAGER: &str = "k8s-dns";

/// Applies the service at its well-known address and a slice that leads to where we listen.
pub(crate) async fn apply(
    client: &Client,
    cluster_ip: IpAddr,
    address: IpAddr,
    port: u16,
) -> kube::Result<()> {
    let ports = |port: u16| {
        json!([
            { "name": "dns", "port": port, "protocol": "UDP" },
            { "name": "dns-tcp", "port": port, "protocol": "TCP" },
        ])
    };
    let labels = json!({ "k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS" });
    let service = json!({
        "metadata": { "name": NAME, "labels": labels },
        "spec": { "clusterIP": cluster_ip, "ports": ports(53) },
    });
    apply_one::<Service>(client, NAME, "v1", service).await?;
    let slice = json!({
        "metadata": {
            "name": NAME,
            "labels": {
                "kubernetes.io/service-name": NAME,
                "endpointslice.kubernetes.io/managed-by": MANAGER,
            },
        },
        "addressType": "IPv4",
        "ports": ports(port),
        "endpoints": [{ "addresses": [address], "conditions": { "ready": true } }],
    });
    apply_one::<EndpointSlice>(client, NAME, "discovery.k8s.io/v1", slice).await
}

async fn apply_one<K>(
    client: &Client,
    name: &str,
    api_version: &str,
    mut object: Value,
) -> kube::Result<()>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + Serialize
        + DeserializeOwned,
{
    object["apiVersion"] = api_version.into();
    object["kind"] = K::kind(&()).into();
    let api: Api<K> = Api::namespaced(client.clone(), NAMESPACE);
    api.patch(
        name,
        &PatchParams::apply(MANAGER).force(),
        &Patch::Apply(object),
    )
    .await
    .map(drop)
}
