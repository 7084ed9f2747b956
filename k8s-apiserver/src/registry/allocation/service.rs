//! What a change of a service takes from the pools and gives back. Called by the strategy of services.

use k8s_apimachinery::{Object, Value};

use super::{
    Refusal,
    cluster_ip::{self, Addresses},
    node_port,
};
use crate::{
    ApiError,
    error::GroupKind,
    registry::{Change, Effects, View},
};

/// Assigns what the new service lacks, and gives back what it no longer needs, or all if it is removed.
pub fn effects(change: &mut Change<'_>, view: &View<'_>) -> Result<Effects, ApiError> {
    let old = change.old;
    let Some((namespace, name)) = owner(change.new.as_deref().or(old)) else {
        return Ok(Effects::default());
    };
    let mut addresses = Addresses::new(view, &namespace, &name, old);
    let mut ports = node_port::pool(view, format!("{namespace}/{name}"), old);
    if let Some(service) = change.new.as_deref_mut() {
        let first = *view.config().node_ports.start();
        addresses
            .assign(service)
            .and_then(|()| node_port::assign(service, &mut ports, first))
            .map_err(|refusal| refused(service, refusal))?;
    }
    let mut effects = addresses.effects();
    effects.extend(ports.effects());
    Ok(effects)
}

/// The note that should say that the service has its address, if there is none.
pub(in crate::registry) fn missing_claim(service: &Object, view: &View<'_>) -> Option<Object> {
    cluster_ip::missing_claim(service, view)
}

/// Keeps what was assigned to the old service, where the new one doesn't say anything else. To be called before
/// validation, which refuses that an address changes: so a client may replace a service without knowing its address.
pub fn carry_over(new: &mut Object, old: &Object) {
    if new.str(&["spec", "type"]) == Some("ExternalName") {
        drop_address(new, old);
        return;
    }
    let is_unset = |service: &Object| {
        service
            .str(&["spec", "clusterIP"])
            .is_none_or(str::is_empty)
    };
    if cluster_ip::has_address(old) && is_unset(new) {
        for field in ["clusterIP", "clusterIPs"] {
            crate::registry::keep(new, old, &["spec", field]);
        }
    }
    for field in ["ipFamilies", "ipFamilyPolicy"] {
        if new.get(&["spec", field]).is_none() {
            crate::registry::keep(new, old, &["spec", field]);
        }
    }
    carry_over_ports(new, old);
}

/// A service that becomes an external name loses an address that it only has from before.
fn drop_address(new: &mut Object, old: &Object) {
    if new.get(&["spec", "clusterIP"]) == old.get(&["spec", "clusterIP"]) {
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            new.remove(&["spec", field]);
        }
    }
}

/// Ports are the same if protocol and number are.
fn carry_over_ports(new: &mut Object, old: &Object) {
    let is_reachable = |service: &Object| {
        matches!(
            service.str(&["spec", "type"]),
            Some("NodePort" | "LoadBalancer")
        )
    };
    if !is_reachable(new) || !is_reachable(old) {
        return;
    }
    let path = ["spec", "ports"];
    let (Some(Value::Array(mut ports)), Some(Value::Array(before))) =
        (new.get(&path).cloned(), old.get(&path))
    else {
        return;
    };
    let key = |port: &Value| (port["protocol"].clone(), port["port"].clone());
    for port in &mut ports {
        if port["nodePort"].as_u64().unwrap_or(0) > 0 {
            continue;
        }
        let same = before.iter().find(|each| key(each) == key(port));
        if let Some(node_port) = same.and_then(|each| each.get("nodePort")) {
            port["nodePort"] = node_port.clone();
        }
    }
    new.set(&path, Value::Array(ports));
    let health = ["spec", "healthCheckNodePort"];
    if new.get(&health).is_none() {
        crate::registry::keep(new, old, &health);
    }
}

fn owner(service: Option<&Object>) -> Option<(String, String)> {
    service.map(|service| (service.namespace().to_owned(), service.name().to_owned()))
}

fn refused(service: &Object, refusal: Refusal) -> ApiError {
    match refusal {
        Refusal::Invalid(cause) => ApiError::Invalid {
            kind: GroupKind::new("", "Service"),
            name: service.name().to_owned(),
            causes: vec![cause],
        },
        Refusal::Exhausted(detail) => ApiError::Exhausted(detail),
    }
}
