//! The network of services, the `kubernetes` service, and the addresses that services have.

use k8s_apimachinery::Object;
use serde_json::json;

use super::{Keep, Maker};
use crate::{
    ApiError,
    registry::{allocation, rfc3339},
};

/// The network that services get their addresses from, unless there are more.
pub(super) async fn network(maker: &Maker<'_>) -> Result<(), ApiError> {
    const GROUP: &str = "networking.k8s.io";
    let network = maker.registry.config().service_network.to_string();
    let cidr = json!({
        "metadata": {"name": "kubernetes"},
        "spec": {"cidrs": [network]},
    });
    maker
        .ensure(GROUP, "servicecidrs", cidr, Keep::Existing)
        .await?;
    let ready = json!({
        "type": "Ready",
        "status": "True",
        "reason": "",
        "message": "Kubernetes default Service CIDR is ready",
        "lastTransitionTime": rfc3339(maker.now()),
    });
    maker
        .ensure_condition(GROUP, "servicecidrs", "kubernetes", ready)
        .await
}

/// An address that its service has, but that isn't noted as taken, is noted: somebody may have deleted the note.
pub(super) async fn addresses(maker: &Maker<'_>) -> Result<(), ApiError> {
    for stored in maker.registry.list("", "services", "") {
        let service: Object = stored.entry.object();
        if let Some(claim) = allocation::missing_claim(&service, &maker.registry.view()) {
            let claim = claim.into_value();
            maker
                .ensure("networking.k8s.io", "ipaddresses", claim, Keep::Existing)
                .await?;
        }
    }
    Ok(())
}

/// The service by which pods reach this server, and where it leads.
pub(super) async fn kubernetes(maker: &Maker<'_>) -> Result<(), ApiError> {
    let config = maker.registry.config();
    let (address, port) = config.advertise;
    let cluster_ip = config.service_network.address(1).to_string();
    let labels = json!({ "component": "apiserver", "provider": "kubernetes" });
    let service = json!({
        "metadata": { "name": "kubernetes", "namespace": "default", "labels": labels },
        "spec": {
            "type": "ClusterIP",
            "clusterIP": cluster_ip,
            "sessionAffinity": "None",
            "ports": [{ "name": "https", "port": 443, "protocol": "TCP", "targetPort": port }],
        },
    });
    maker
        .ensure("", "services", service, Keep::Existing)
        .await?;

    let address = address.to_string();
    let endpoints = json!({
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": { "endpointslice.kubernetes.io/skip-mirror": "true" },
        },
        "subsets": [{
            "addresses": [{ "ip": address }],
            "ports": [{ "name": "https", "port": port, "protocol": "TCP" }],
        }],
    });
    maker
        .ensure("", "endpoints", endpoints, Keep::Nothing)
        .await?;

    let slice = json!({
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": { "kubernetes.io/service-name": "kubernetes" },
        },
        "addressType": "IPv4",
        "endpoints": [{ "addresses": [address], "conditions": { "ready": true } }],
        "ports": [{ "name": "https", "port": port, "protocol": "TCP" }],
    });
    maker
        .ensure("discovery.k8s.io", "endpointslices", slice, Keep::Nothing)
        .await
}
