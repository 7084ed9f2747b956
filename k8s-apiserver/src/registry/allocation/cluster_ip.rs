//! Cluster IPs: which services have one, and which one it is.

use std::{collections::BTreeSet, net::Ipv4Addr};

use k8s_apimachinery::{Object, Value};

use super::pool::{Exhausted, Pool, Taken};
use crate::{
    error::Cause,
    registry::{View, config::Ipv4Network},
};

/// The pool of cluster IPs. Its first addresses, `.1` and `.10` among them, are left to explicit requests.
pub(super) fn pool<'a>(view: &'a View<'a>, owner: String, old: Option<&Object>) -> Pool<'a> {
    let network = view.config().service_network;
    // The last address is the broadcast address.
    let size = network.size().saturating_sub(1);
    let reserved = (network.size() / 16).clamp(16, 256).min(size);
    let held = old.and_then(|service| held(service, network));
    let held = held.into_iter().collect::<BTreeSet<u32>>();
    Pool::new("serviceips", size, reserved, view, owner, held)
}

/// The index of the address that a service holds.
fn held(service: &Object, network: Ipv4Network) -> Option<u32> {
    has_address(service).then_some(())?;
    let address: Ipv4Addr = address_of(service)?.parse().ok()?;
    network.index(address)
}

/// Whether services of this type have an address: all but external names, and but those that want none.
pub(super) fn has_address(service: &Object) -> bool {
    service.str(&["spec", "type"]) != Some("ExternalName") && address_of(service) != Some("None")
}

fn address_of(service: &Object) -> Option<&str> {
    let address = service
        .str(&["spec", "clusterIP"])
        .filter(|text| !text.is_empty());
    let first = || {
        let addresses = service.get(&["spec", "clusterIPs"])?.as_array()?;
        addresses.first()?.as_str().filter(|text| !text.is_empty())
    };
    address.or_else(first)
}

/// Gives the service the address that it asks for, or any.
pub(super) fn assign(
    service: &mut Object,
    pool: &mut Pool<'_>,
    network: Ipv4Network,
) -> Result<(), Cause> {
    if service.str(&["spec", "type"]) == Some("ExternalName") {
        return Ok(());
    }
    let address = address_of(service).map(str::to_owned);
    let address = match address.as_deref() {
        Some("None") => "None".to_owned(),
        Some(wanted) => take(wanted, pool, network)?,
        None => {
            let index = pool.take_any().map_err(|Exhausted| Cause {
                reason: "InternalError".to_owned(),
                message: "Internal error: failed to allocate a serviceIP: range is full".to_owned(),
                field: "spec.clusterIPs".to_owned(),
            })?;
            network.address(index).to_string()
        }
    };
    service.set(&["spec", "clusterIP"], address.as_str().into());
    service.set(&["spec", "clusterIPs"], Value::Array(vec![address.into()]));
    for (field, value) in [
        ("ipFamilies", Value::Array(vec!["IPv4".into()])),
        ("ipFamilyPolicy", "SingleStack".into()),
    ] {
        if service.get(&["spec", field]).is_none() {
            service.set(&["spec", field], value);
        }
    }
    Ok(())
}

fn take(wanted: &str, pool: &mut Pool<'_>, network: Ipv4Network) -> Result<String, Cause> {
    let refused = |why: String| {
        Cause::new(
            "FieldValueInvalid",
            format!("Invalid value: [{wanted:?}]: failed to allocate IP {wanted}: {why}"),
            "spec.clusterIPs",
        )
    };
    let outside = || {
        refused(format!(
            "the provided network does not match the current range: {wanted} is not in the valid range {network}"
        ))
    };
    let address: Ipv4Addr = wanted.parse().map_err(|_| outside())?;
    let index = network
        .index(address)
        .filter(|index| (1..network.size() - 1).contains(index))
        .ok_or_else(outside)?;
    pool.take(index)
        .map_err(|Taken| refused("provided IP is already allocated".to_owned()))?;
    Ok(address.to_string())
}
