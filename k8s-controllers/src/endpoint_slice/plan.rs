//! From the slices that exist and the endpoints that should, to the fewest writes.
//!
//! Every write of a slice goes to every node, so an endpoint stays in the slice it is in, what is
//! new goes first into slices that change anyway, and a slice that needn't change isn't written.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::{
    api::{
        core::v1::Service,
        discovery::v1::{Endpoint, EndpointPort, EndpointSlice},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::desired::{Desired, Group};
use crate::{
    claim,
    endpoint::{self, HEADLESS_LABEL, Port},
};

/// Endpoints that a slice may hold.
const CAPACITY: usize = 100;
/// The service that a slice belongs to.
pub(super) const SERVICE_LABEL: &str = "kubernetes.io/service-name";
/// Who writes a slice.
pub(super) const MANAGED_BY_LABEL: &str = "endpointslice.kubernetes.io/managed-by";
/// The name that this controller goes by.
pub(super) const MANAGER: &str = "endpointslice-controller.k8s.io";

/// Writes to make.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) create: Vec<EndpointSlice>,
    pub(super) update: Vec<EndpointSlice>,
    pub(super) delete: Vec<Arc<EndpointSlice>>,
}

/// What to do now.
pub(super) fn plan(service: &Service, existing: &[Arc<EndpointSlice>], desired: Desired) -> Plan {
    let mut plan = Plan::default();
    let labels = labels(service);
    for slice in existing {
        let is_wanted = desired.keys().any(|group| is_of(slice, group));
        if !is_wanted {
            plan.delete.push(slice.clone());
        }
    }
    for (group, endpoints) in desired {
        let of_group = existing.iter().filter(|slice| is_of(slice, &group));
        fill(service, &labels, &group, of_group, endpoints, &mut plan);
    }
    plan
}

fn fill<'a>(
    service: &Service,
    labels: &BTreeMap<String, String>,
    group: &Group,
    existing: impl Iterator<Item = &'a Arc<EndpointSlice>>,
    endpoints: Vec<Endpoint>,
    plan: &mut Plan,
) {
    let mut missing: BTreeMap<String, Endpoint> =
        endpoints.into_iter().map(|e| (identity(&e), e)).collect();
    let mut slices: Vec<Draft> = existing
        .map(|slice| Draft::of(slice, labels, &mut missing))
        .collect();
    // Those that change anyway come first, then the fullest: few writes, few slices.
    slices.sort_by_key(|draft| (!draft.is_changed, usize::MAX - draft.endpoints.len()));
    for draft in &mut slices {
        let fits_whole = missing.len() <= CAPACITY - draft.endpoints.len().min(CAPACITY);
        if draft.is_changed || fits_whole {
            draft.take(&mut missing);
        }
    }
    let has_content = slices.iter().any(|draft| !draft.endpoints.is_empty());
    let mut needs_placeholder = !has_content && missing.is_empty();
    for draft in slices {
        if draft.endpoints.is_empty() && !needs_placeholder {
            plan.delete.push(draft.slice);
            continue;
        }
        needs_placeholder &= !draft.endpoints.is_empty();
        if draft.is_changed {
            plan.update.push(draft.finish(labels));
        }
    }
    while needs_placeholder || !missing.is_empty() {
        needs_placeholder = false;
        let mut draft = Vec::new();
        take(&mut missing, &mut draft);
        plan.create.push(new_slice(service, labels, group, draft));
    }
}

/// An existing slice with what stays in it.
struct Draft {
    slice: Arc<EndpointSlice>,
    endpoints: Vec<Endpoint>,
    is_changed: bool,
}

impl Draft {
    /// Keeps the endpoints that are still wanted, in their new state, and takes them from `wanted`.
    fn of(
        slice: &Arc<EndpointSlice>,
        labels: &BTreeMap<String, String>,
        wanted: &mut BTreeMap<String, Endpoint>,
    ) -> Self {
        let mut is_changed = slice.metadata.labels.as_ref() != Some(labels);
        let mut endpoints = Vec::new();
        for known in slice.endpoints.iter().flatten() {
            match wanted.remove(&identity(known)) {
                Some(new) => {
                    is_changed |= new != *known;
                    endpoints.push(new);
                }
                None => is_changed = true,
            }
        }
        Self {
            slice: slice.clone(),
            endpoints,
            is_changed,
        }
    }

    fn take(&mut self, missing: &mut BTreeMap<String, Endpoint>) {
        self.is_changed |= take(missing, &mut self.endpoints);
    }

    fn finish(self, labels: &BTreeMap<String, String>) -> EndpointSlice {
        let mut slice = EndpointSlice::clone(&self.slice);
        slice.metadata.labels = Some(labels.clone());
        slice.endpoints = Some(self.endpoints);
        slice
    }
}

/// Moves endpoints until the slice is full; whether any was moved.
fn take(missing: &mut BTreeMap<String, Endpoint>, into: &mut Vec<Endpoint>) -> bool {
    let before = into.len();
    while into.len() < CAPACITY
        && let Some((_, endpoint)) = missing.pop_first()
    {
        into.push(endpoint);
    }
    into.len() > before
}

/// The pod behind an endpoint, with its first address: the same pod may come back with another.
fn identity(endpoint: &Endpoint) -> String {
    let target = endpoint.target_ref.as_ref();
    let uid = target.and_then(|target| target.uid.as_deref());
    let address = endpoint.addresses.first().map(String::as_str);
    format!(
        "{}/{}",
        uid.unwrap_or_default(),
        address.unwrap_or_default()
    )
}

fn is_of(slice: &EndpointSlice, group: &Group) -> bool {
    if slice.address_type != group.address_type {
        return false;
    }
    let ports = slice.ports.iter().flatten().map(|port| Port {
        name: port.name.clone().filter(|name| !name.is_empty()),
        protocol: port.protocol.clone().unwrap_or_else(|| "TCP".into()),
        port: port.port.unwrap_or(0),
        app_protocol: port.app_protocol.clone(),
    });
    let mut ports: Vec<Port> = ports.collect();
    ports.sort();
    ports == group.ports
}

fn labels(service: &Service) -> BTreeMap<String, String> {
    let mut labels = service.metadata.labels.clone().unwrap_or_default();
    labels.remove(HEADLESS_LABEL);
    if endpoint::is_headless(service) {
        labels.insert(HEADLESS_LABEL.into(), String::new());
    }
    let name = service.metadata.name.clone().unwrap_or_default();
    labels.insert(SERVICE_LABEL.into(), name);
    labels.insert(MANAGED_BY_LABEL.into(), MANAGER.into());
    labels
}

fn new_slice(
    service: &Service,
    labels: &BTreeMap<String, String>,
    group: &Group,
    endpoints: Vec<Endpoint>,
) -> EndpointSlice {
    let ports = group.ports.iter().map(|port| EndpointPort {
        // An unnamed port has the empty name.
        name: Some(port.name.clone().unwrap_or_default()),
        protocol: Some(port.protocol.clone()),
        port: Some(port.port),
        app_protocol: port.app_protocol.clone(),
    });
    let name = service.metadata.name.as_deref().unwrap_or_default();
    EndpointSlice {
        metadata: ObjectMeta {
            generate_name: Some(format!("{name}-")),
            namespace: service.metadata.namespace.clone(),
            labels: Some(labels.clone()),
            owner_references: Some(vec![claim::controller_reference(service)]),
            ..ObjectMeta::default()
        },
        address_type: group.address_type.into(),
        ports: Some(ports.collect()),
        endpoints: Some(endpoints),
    }
}

#[cfg(test)]
mod tests;
