//! The Endpoints object that a service should have.

use std::{collections::BTreeMap, sync::Arc};

use k8s_apimachinery::pod::readiness;
use k8s_openapi::{
    api::core::v1::{EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Pod, Service},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use crate::endpoint::{self, HEADLESS_LABEL, Port};

/// Addresses that an Endpoints object may hold.
const CAPACITY: usize = 1000;
/// Says that addresses were left out.
const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";
/// Who writes the object.
const MANAGED_BY_LABEL: &str = "endpoints.kubernetes.io/managed-by";

/// What to write.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Nothing,
    Create(Endpoints),
    Update(Endpoints),
}

/// What to do now.
pub(super) fn plan(service: &Service, pods: &[Arc<Pod>], existing: Option<&Endpoints>) -> Step {
    let (subsets, is_truncated) = subsets(service, pods);
    let mut wanted = existing.cloned().unwrap_or_else(|| Endpoints {
        metadata: ObjectMeta {
            name: service.metadata.name.clone(),
            namespace: service.metadata.namespace.clone(),
            ..ObjectMeta::default()
        },
        subsets: None,
    });
    wanted.metadata.labels = Some(labels(service));
    let mut annotations = wanted.metadata.annotations.take().unwrap_or_default();
    annotations.remove(OVER_CAPACITY);
    if is_truncated {
        annotations.insert(OVER_CAPACITY.into(), "truncated".into());
    }
    wanted.metadata.annotations = Some(annotations).filter(|map| !map.is_empty());
    wanted.subsets = Some(subsets).filter(|subsets| !subsets.is_empty());
    match existing {
        None => Step::Create(wanted),
        Some(existing) if is_same(existing, &wanted) => Step::Nothing,
        Some(_) => Step::Update(wanted),
    }
}

fn is_same(a: &Endpoints, b: &Endpoints) -> bool {
    let subsets = |endpoints: &Endpoints| endpoints.subsets.clone().unwrap_or_default();
    a.metadata.labels == b.metadata.labels
        && a.metadata.annotations == b.metadata.annotations
        && subsets(a) == subsets(b)
}

/// Ready and not ready addresses.
type Addresses = (Vec<EndpointAddress>, Vec<EndpointAddress>);

/// Addresses that share their ports share a subset; ready ones come first when there are too many.
fn subsets(service: &Service, pods: &[Arc<Pod>]) -> (Vec<EndpointSubset>, bool) {
    let publishes_all = endpoint::publishes_not_ready(service);
    let mut by_ports: BTreeMap<Vec<Port>, Addresses> = BTreeMap::new();
    for pod in pods {
        let Some(ip) = endpoint::addresses(pod).first().copied() else {
            continue;
        };
        if readiness::is_terminating(pod) && !publishes_all {
            continue;
        }
        let ports = endpoint::ports(service, pod);
        if ports.is_empty() && !endpoint::is_headless(service) {
            continue;
        }
        let address = EndpointAddress {
            ip: ip.to_owned(),
            hostname: endpoint::hostname(service, pod),
            node_name: readiness::node_name(pod).map(str::to_owned),
            target_ref: Some(endpoint::target_ref(pod)),
        };
        let (ready, not_ready) = by_ports.entry(ports).or_default();
        if publishes_all || readiness::is_ready(pod) {
            ready.push(address);
        } else {
            not_ready.push(address);
        }
    }
    let is_truncated = truncate(&mut by_ports);
    let subsets = by_ports.into_iter().map(|(ports, (ready, not_ready))| {
        let ports = ports.into_iter().map(|port| EndpointPort {
            name: port.name,
            protocol: Some(port.protocol),
            port: port.port,
            app_protocol: port.app_protocol,
        });
        EndpointSubset {
            addresses: nonempty(ready),
            not_ready_addresses: nonempty(not_ready),
            ports: nonempty(ports.collect()),
        }
    });
    (subsets.collect(), is_truncated)
}

fn truncate(by_ports: &mut BTreeMap<Vec<Port>, Addresses>) -> bool {
    let mut room = CAPACITY;
    let mut is_truncated = false;
    for (ready, _) in by_ports.values_mut() {
        ready.sort_by(|a, b| a.ip.cmp(&b.ip));
        is_truncated |= ready.len() > room;
        ready.truncate(room);
        room -= ready.len();
    }
    for (_, not_ready) in by_ports.values_mut() {
        not_ready.sort_by(|a, b| a.ip.cmp(&b.ip));
        is_truncated |= not_ready.len() > room;
        not_ready.truncate(room);
        room -= not_ready.len();
    }
    by_ports.retain(|_, (ready, not_ready)| !ready.is_empty() || !not_ready.is_empty());
    is_truncated
}

fn labels(service: &Service) -> BTreeMap<String, String> {
    let mut labels = service.metadata.labels.clone().unwrap_or_default();
    labels.remove(HEADLESS_LABEL);
    if endpoint::is_headless(service) {
        labels.insert(HEADLESS_LABEL.into(), String::new());
    }
    labels.insert(MANAGED_BY_LABEL.into(), "endpoint-controller".into());
    labels
}

fn nonempty<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn service() -> Service {
        serde_json::from_value(json!({
            "metadata": {"name": "web", "namespace": "default", "labels": {"a": "b"}},
            "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
        }))
        .expect("a Service")
    }

    fn pod(number: usize, ready: bool) -> Arc<Pod> {
        let ready = if ready { "True" } else { "False" };
        let pod: Value = json!({
            "metadata": {"name": format!("p{number}"), "namespace": "default", "uid": number.to_string()},
            "spec": {"nodeName": "n1", "containers": []},
            "status": {"phase": "Running", "podIP": format!("10.0.{}.{}", number / 200, number % 200),
                "conditions": [{"type": "Ready", "status": ready}]},
        });
        Arc::new(serde_json::from_value(pod).expect("a pod"))
    }

    #[test]
    fn ready_and_unready_pods_share_a_subset() {
        let Step::Create(made) = plan(
            &service(),
            &[pod(2, true), pod(1, true), pod(3, false)],
            None,
        ) else {
            panic!("there is none yet");
        };
        let subset = &made.subsets.as_ref().unwrap()[0];
        let ips = |list: &Option<Vec<EndpointAddress>>| -> Vec<String> {
            list.iter()
                .flatten()
                .map(|address| address.ip.clone())
                .collect()
        };
        assert_eq!(ips(&subset.addresses), ["10.0.0.1", "10.0.0.2"]);
        assert_eq!(ips(&subset.not_ready_addresses), ["10.0.0.3"]);
        assert_eq!(subset.ports.as_ref().unwrap()[0].port, 8080);
        let again = plan(
            &service(),
            &[pod(1, true), pod(2, true), pod(3, false)],
            Some(&made),
        );
        assert_eq!(again, Step::Nothing);
    }

    #[test]
    fn beyond_a_thousand_the_object_says_that_it_is_truncated() {
        let pods: Vec<_> = (0..1001).map(|number| pod(number, true)).collect();
        let Step::Create(made) = plan(&service(), &pods, None) else {
            panic!("there is none yet");
        };
        assert_eq!(
            made.metadata.annotations.as_ref().unwrap()[OVER_CAPACITY],
            "truncated"
        );
        assert_eq!(
            made.subsets.as_ref().unwrap()[0]
                .addresses
                .as_ref()
                .unwrap()
                .len(),
            1000
        );
        assert!(matches!(
            plan(&service(), &pods[..10], Some(&made)),
            Step::Update(_)
        ));
    }

    #[test]
    fn a_service_without_pods_has_an_empty_object() {
        let Step::Create(made) = plan(&service(), &[], None) else {
            panic!("there is none yet");
        };
        assert_eq!(made.subsets, None);
    }
}
