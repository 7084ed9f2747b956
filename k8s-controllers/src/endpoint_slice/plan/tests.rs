use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::{super::desired::desired, *};

fn service(spec: Value) -> Service {
    let service =
        json!({"metadata": {"name": "web", "namespace": "default", "uid": "s"}, "spec": spec});
    serde_json::from_value(service).expect("a Service")
}

fn plain() -> Service {
    service(json!({"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}))
}

fn pod(number: usize, ready: bool) -> Arc<Pod> {
    let ready = if ready { "True" } else { "False" };
    let pod = json!({
        "metadata": {"name": format!("p{number}"), "namespace": "default", "uid": format!("u{number:03}")},
        "spec": {"nodeName": "n1", "containers": [
            {"name": "c", "ports": [{"name": "http", "containerPort": 8000 + number}]},
        ]},
        "status": {
            "phase": "Running", "podIPs": [{"ip": format!("10.0.{}.{}", number / 200, number % 200)}],
            "conditions": [{"type": "Ready", "status": ready}],
        },
    });
    Arc::new(serde_json::from_value(pod).expect("a pod"))
}

fn pods(numbers: std::ops::Range<usize>) -> Vec<Arc<Pod>> {
    numbers.map(|number| pod(number, true)).collect()
}

fn next(service: &Service, pods: &[Arc<Pod>], existing: &[Arc<EndpointSlice>]) -> Plan {
    let zone = |node: &str| Some(format!("zone-of-{node}"));
    plan(service, existing, desired(service, pods, zone))
}

/// Plays a plan: what exists afterwards.
fn play(existing: &[Arc<EndpointSlice>], plan: Plan) -> Vec<Arc<EndpointSlice>> {
    let mut slices: Vec<_> = existing.to_vec();
    let name = |slice: &EndpointSlice| slice.metadata.name.clone();
    for gone in &plan.delete {
        slices.retain(|slice| name(slice) != name(gone));
    }
    for changed in plan.update {
        let place = slices
            .iter_mut()
            .find(|slice| name(slice) == name(&changed));
        *place.expect("an update is of a slice that exists") = Arc::new(changed);
    }
    for (i, mut new) in plan.create.into_iter().enumerate() {
        new.metadata.name = Some(format!("web-{}-{i}", slices.len()));
        slices.push(Arc::new(new));
    }
    slices
}

fn sizes(slices: &[Arc<EndpointSlice>]) -> Vec<usize> {
    slices
        .iter()
        .map(|slice| slice.endpoints.as_ref().map_or(0, Vec::len))
        .collect()
}

/// Creates, updates, deletes.
fn writes(plan: &Plan) -> (usize, usize, usize) {
    (plan.create.len(), plan.update.len(), plan.delete.len())
}

#[test]
fn an_endpoint_says_all_that_proxies_need() {
    let plan = next(&plain(), &[pod(7, true)], &[]);
    let slice = serde_json::to_value(&plan.create[0]).unwrap();
    assert_eq!(
        slice,
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {
                "generateName": "web-", "namespace": "default",
                "labels": {"kubernetes.io/service-name": "web",
                    "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"},
                "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": "web", "uid": "s",
                    "controller": true, "blockOwnerDeletion": true}],
            },
            "addressType": "IPv4",
            "ports": [{"name": "", "protocol": "TCP", "port": 8080}],
            "endpoints": [{
                "addresses": ["10.0.0.7"],
                "conditions": {"ready": true, "serving": true, "terminating": false},
                "nodeName": "n1", "zone": "zone-of-n1",
                "targetRef": {"kind": "Pod", "namespace": "default", "name": "p7", "uid": "u007"},
            }],
        })
    );
}

#[test]
fn what_is_as_it_should_be_is_not_written() {
    let service = plain();
    let pods = pods(0..5);
    let slices = play(&[], next(&service, &pods, &[]));
    assert_eq!(writes(&next(&service, &pods, &slices)), (0, 0, 0));
}

#[test]
fn a_slice_holds_a_hundred_and_growth_touches_few() {
    let service = plain();
    let slices = play(&[], next(&service, &pods(0..250), &[]));
    assert_eq!(sizes(&slices), [100, 100, 50]);
    let grown = next(&service, &pods(0..260), &slices);
    assert_eq!(writes(&grown), (0, 1, 0));
    // Too many for the room that is left: a new slice, rather than writing several.
    let grown = next(&service, &pods(0..330), &slices);
    assert_eq!(writes(&grown), (1, 0, 0));
}

#[test]
fn a_service_without_endpoints_keeps_one_empty_slice() {
    let service = plain();
    let slices = play(&[], next(&service, &[], &[]));
    assert_eq!(sizes(&slices), [0]);
    assert_eq!(writes(&next(&service, &[], &slices)), (0, 0, 0));
    // Its first pod has ports, the placeholder has none: one takes the other's place.
    let slices = play(&slices, next(&service, &pods(0..1), &slices));
    assert_eq!(sizes(&slices), [1]);
    let slices = play(&slices, next(&service, &[], &slices));
    assert_eq!(sizes(&slices), [0]);
}

#[test]
fn readiness_is_an_update_and_terminating_pods_still_serve() {
    let service = plain();
    let slices = play(&[], next(&service, &[pod(1, true)], &[]));
    let unready = next(&service, &[pod(1, false)], &slices);
    assert_eq!(writes(&unready), (0, 1, 0));
    let mut going = Pod::clone(&pod(1, true));
    going.metadata.deletion_timestamp =
        serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
    let going = next(&service, &[Arc::new(going)], &slices);
    let endpoint = &going.update[0].endpoints.as_ref().unwrap()[0];
    let conditions = endpoint.conditions.clone().unwrap();
    assert_eq!(
        (conditions.ready, conditions.serving, conditions.terminating),
        (Some(false), Some(true), Some(true))
    );
}

#[test]
fn named_ports_that_differ_by_pod_make_slices_of_their_own() {
    let service = service(json!({"selector": {"app": "web"}, "ports": [
        {"name": "web", "port": 80, "targetPort": "http"},
    ]}));
    let plan = next(&service, &pods(1..3), &[]);
    let ports: Vec<_> = plan
        .create
        .iter()
        .map(|slice| slice.ports.as_ref().unwrap()[0].port)
        .collect();
    assert_eq!(ports, [Some(8001), Some(8002)]);
}

#[test]
fn a_headless_service_is_marked_and_may_publish_unready_pods() {
    let service = service(json!({
        "selector": {"app": "web"}, "clusterIP": "None", "publishNotReadyAddresses": true,
    }));
    let plan = next(&service, &[pod(1, false)], &[]);
    let slice = &plan.create[0];
    assert_eq!(slice.metadata.labels.as_ref().unwrap()[HEADLESS_LABEL], "");
    let endpoint = &slice.endpoints.as_ref().unwrap()[0];
    assert_eq!(endpoint.conditions.as_ref().unwrap().ready, Some(true));
}
