//! Node ports: one per port of a service that is reachable through the nodes.

use std::collections::{BTreeMap, BTreeSet};

use k8s_apimachinery::{Object, Value};

use super::{
    Refusal,
    pool::{Pool, Taken},
};
use crate::{error::Cause, registry::View};

const NO_NODE_PORT: &str = "failed to allocate a nodePort: range is full";
const NO_HEALTH_PORT: &str = "failed to allocate a HealthCheck NodePort 0: range is full";

/// The pool of node ports. The first ones are left to explicit requests.
pub(super) fn pool<'a>(view: &'a View<'a>, owner: String, old: Option<&Object>) -> Pool<'a> {
    let ports = &view.config().node_ports;
    let size = u32::from(ports.end() - ports.start()) + 1;
    let reserved = (size / 32).clamp(16, 128).min(size);
    let held: BTreeSet<u32> = old
        .into_iter()
        .flat_map(held)
        .filter_map(|port| port.checked_sub(u32::from(*ports.start())))
        .collect();
    Pool::new("servicenodeports", size, reserved, view, owner, held)
}

/// The ports that a service holds.
fn held(service: &Object) -> Vec<u32> {
    let number = |value: &Value| value.as_u64().and_then(|port| u32::try_from(port).ok());
    let ports = service.get(&["spec", "ports"]).and_then(Value::as_array);
    let ports = ports
        .into_iter()
        .flatten()
        .filter_map(|port| number(&port["nodePort"]));
    let health = service
        .get(&["spec", "healthCheckNodePort"])
        .and_then(number);
    ports.chain(health).filter(|port| *port > 0).collect()
}

/// Whether services of this type are reachable through the nodes.
fn has_ports(service: &Object) -> bool {
    match service.str(&["spec", "type"]) {
        Some("NodePort") => true,
        Some("LoadBalancer") => {
            service.get(&["spec", "allocateLoadBalancerNodePorts"]) != Some(&Value::Bool(false))
        }
        _ => false,
    }
}

/// Gives each port of the service the node port that it asks for, or any.
///
/// The same port over another protocol shares the number, so that DNS has one for both.
pub(super) fn assign(service: &mut Object, pool: &mut Pool<'_>, first: u16) -> Result<(), Refusal> {
    let is_reachable = has_ports(service);
    let path = ["spec", "ports"];
    let Some(Value::Array(mut ports)) = service.get(&path).cloned() else {
        return Ok(());
    };
    let mut by_port: BTreeMap<u64, u64> = BTreeMap::new();
    for (index, port) in ports.iter().enumerate() {
        if let Some(wanted) = port["nodePort"].as_u64().filter(|port| *port > 0) {
            take(wanted, pool, first).map_err(|why| {
                Cause::new(
                    "FieldValueInvalid",
                    format!("Invalid value: {wanted}: {why}"),
                    format!("spec.ports[{index}].nodePort"),
                )
            })?;
            by_port
                .entry(port["port"].as_u64().unwrap_or(0))
                .or_insert(wanted);
        }
    }
    if is_reachable {
        for port in &mut ports {
            if port["nodePort"].as_u64().is_some_and(|port| port > 0) {
                continue;
            }
            let number = port["port"].as_u64().unwrap_or(0);
            let node_port = match by_port.get(&number) {
                Some(shared) => *shared,
                None => {
                    any(pool, first).ok_or_else(|| Refusal::Exhausted(NO_NODE_PORT.to_owned()))?
                }
            };
            by_port.insert(number, node_port);
            port["nodePort"] = node_port.into();
        }
        service.set(&path, Value::Array(ports));
    }
    assign_health_check(service, pool, first)
}

/// Load balancers that keep traffic on the node where it arrives ask each node whether it has an endpoint.
fn assign_health_check(
    service: &mut Object,
    pool: &mut Pool<'_>,
    first: u16,
) -> Result<(), Refusal> {
    let is_local = service.str(&["spec", "type"]) == Some("LoadBalancer")
        && service.str(&["spec", "externalTrafficPolicy"]) == Some("Local");
    let path = ["spec", "healthCheckNodePort"];
    match service
        .get(&path)
        .and_then(Value::as_u64)
        .filter(|port| *port > 0)
    {
        // Unlike any other port, one that can't be had isn't called the client's fault.
        Some(wanted) if is_local => take(wanted, pool, first).map_err(|why| {
            Refusal::Exhausted(format!(
                "failed to allocate requested HealthCheck NodePort {wanted}: {why}"
            ))
        }),
        None if is_local => {
            let port =
                any(pool, first).ok_or_else(|| Refusal::Exhausted(NO_HEALTH_PORT.to_owned()))?;
            service.set(&path, port.into());
            Ok(())
        }
        _ => Ok(()),
    }
}

fn take(wanted: u64, pool: &mut Pool<'_>, first: u16) -> Result<(), String> {
    let index = wanted
        .checked_sub(u64::from(first))
        .and_then(|index| u32::try_from(index).ok());
    let index = index.filter(|index| *index < pool.size()).ok_or_else(|| {
        format!(
            "provided port is not in the valid range. The range of valid ports is {first}-{}",
            u32::from(first) + pool.size() - 1
        )
    })?;
    pool.take(index)
        .map_err(|Taken| "provided port is already allocated".to_owned())
}

fn any(pool: &mut Pool<'_>, first: u16) -> Option<u64> {
    let index = pool.take_any()?;
    Some(u64::from(first) + u64::from(index))
}
