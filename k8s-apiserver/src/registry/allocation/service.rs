//! What a change of a service takes from the pools and gives back. Called by the strategy of services.

use k8s_apimachinery::Object;

use super::{cluster_ip, node_port};
use crate::{
    ApiError,
    error::{Cause, GroupKind},
    registry::{Change, Effects, View},
};

/// Assigns what the new service lacks, and gives back what it no longer needs, or all if it is removed.
pub fn effects(change: &mut Change<'_>, view: &View<'_>) -> Result<Effects, ApiError> {
    let old = change.old;
    let owner = owner(change.new.as_deref().or(old));
    let mut addresses = cluster_ip::pool(view, owner.clone(), old);
    let mut ports = node_port::pool(view, owner, old);
    if let Some(service) = change.new.as_deref_mut() {
        let network = view.config().service_network;
        let first = *view.config().node_ports.start();
        cluster_ip::assign(service, &mut addresses, network)
            .and_then(|()| node_port::assign(service, &mut ports, first))
            .map_err(|cause| invalid(service, cause))?;
    }
    let mut effects = addresses.effects();
    effects.extend(ports.effects());
    Ok(effects)
}

fn owner(service: Option<&Object>) -> String {
    let name = |service: &Object| format!("{}/{}", service.namespace(), service.name());
    service.map(name).unwrap_or_default()
}

fn invalid(service: &Object, cause: Cause) -> ApiError {
    ApiError::Invalid {
        kind: GroupKind::new("", "Service"),
        name: service.name().to_owned(),
        causes: vec![cause],
    }
}
