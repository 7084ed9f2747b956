use std::sync::Arc;

use k8s_openapi::api::core::v1::Service;
use serde_json::json;

use super::*;

/// A directory of handmade objects.
#[derive(Default)]
struct Handmade {
    services: Vec<Arc<Service>>,
    slices: Vec<Arc<EndpointSlice>>,
}

impl Directory for Handmade {
    fn has_namespace(&self, name: &str) -> bool {
        name == "default"
    }

    fn service(&self, namespace: &str, name: &str) -> Option<Arc<Service>> {
        self.services
            .iter()
            .find(|service| key(&service.metadata) == (namespace, name))
            .cloned()
    }

    fn slices(&self, namespace: &str, service: &str) -> Vec<Arc<EndpointSlice>> {
        let of = |slice: &&Arc<EndpointSlice>| {
            slice.metadata.namespace.as_deref() == Some(namespace)
                && slice
                    .metadata
                    .labels
                    .as_ref()
                    .is_some_and(|l| l["kubernetes.io/service-name"] == service)
        };
        self.slices.iter().filter(of).cloned().collect()
    }

    fn service_at(&self, address: Ipv4Addr) -> Option<Arc<Service>> {
        let at =
            |service: &&Arc<Service>| cluster_ip(service.spec.as_ref().unwrap()) == Some(address);
        self.services.iter().find(at).cloned()
    }

    fn slices_at(&self, address: Ipv4Addr) -> Vec<Arc<EndpointSlice>> {
        let at =
            |slice: &&Arc<EndpointSlice>| Backend::all(slice, true).any(|e| e.address == address);
        self.slices.iter().filter(at).cloned().collect()
    }
}

fn zone() -> Zone<Handmade> {
    let service = |name: &str, spec: serde_json::Value| -> Arc<Service> {
        let metadata = json!({ "name": name, "namespace": "default" });
        Arc::new(serde_json::from_value(json!({ "metadata": metadata, "spec": spec })).unwrap())
    };
    let slice = json!({
        "metadata": {
            "name": "db-1",
            "namespace": "default",
            "labels": { "kubernetes.io/service-name": "db" },
        },
        "addressType": "IPv4",
        "ports": [{ "name": "sql", "port": 5432, "protocol": "TCP" }],
        "endpoints": [
            { "addresses": ["10.244.0.2"], "hostname": "db-0" },
            { "addresses": ["10.244.0.3"] },
            { "addresses": ["10.244.0.4"], "hostname": "db-2", "conditions": { "ready": false } },
        ],
    });
    let ports = json!([{ "name": "http", "port": 80, "protocol": "TCP" }]);
    let directory = Handmade {
        services: vec![
            service("web", json!({ "clusterIP": "10.96.0.7", "ports": ports })),
            service("db", json!({ "clusterIP": "None" })),
            service("empty", json!({ "clusterIP": "None" })),
            service(
                "far",
                json!({ "type": "ExternalName", "externalName": "example.com" }),
            ),
        ],
        slices: vec![Arc::new(serde_json::from_value(slice).unwrap())],
    };
    Zone::try_new("cluster.local", directory).unwrap()
}

#[track_caller]
fn check(name: &str, kind: RecordType, expected: &str) {
    let shown = match zone().answer(&Name::from_str(name).unwrap(), kind) {
        Answer::Records(records) => records
            .iter()
            .map(|record| record.data.to_string())
            .collect::<Vec<_>>()
            .join(", "),
        Answer::Alias(_, target) => format!("alias {target}"),
        other => format!("{other:?}"),
    };
    assert_eq!(shown, expected, "{name} {kind}");
}

#[test]
fn services_answer_with_their_cluster_ip() {
    check("web.default.svc.cluster.local.", RecordType::A, "10.96.0.7");
    check("WEB.Default.svc.CLUSTER.local.", RecordType::A, "10.96.0.7");
    check("web.default.svc.cluster.local.", RecordType::AAAA, "NoData");
    check(
        "none.default.svc.cluster.local.",
        RecordType::A,
        "NoSuchName",
    );
    check(
        "web.nowhere.svc.cluster.local.",
        RecordType::A,
        "NoSuchName",
    );
    check(
        "_http._tcp.web.default.svc.cluster.local.",
        RecordType::SRV,
        "0 100 80 web.default.svc.cluster.local.",
    );
    check(
        "_http._udp.web.default.svc.cluster.local.",
        RecordType::SRV,
        "NoSuchName",
    );
}

#[test]
fn headless_services_answer_with_ready_endpoints() {
    check(
        "db.default.svc.cluster.local.",
        RecordType::A,
        "10.244.0.2, 10.244.0.3",
    );
    check(
        "db-0.db.default.svc.cluster.local.",
        RecordType::A,
        "10.244.0.2",
    );
    check(
        "10-244-0-3.db.default.svc.cluster.local.",
        RecordType::A,
        "10.244.0.3",
    );
    check(
        "db-2.db.default.svc.cluster.local.",
        RecordType::A,
        "NoSuchName",
    );
    check(
        "_sql._tcp.db.default.svc.cluster.local.",
        RecordType::SRV,
        "0 100 5432 db-0.db.default.svc.cluster.local., 0 100 5432 10-244-0-3.db.default.svc.cluster.local.",
    );
    check(
        "empty.default.svc.cluster.local.",
        RecordType::A,
        "NoSuchName",
    );
}

#[test]
fn external_names_are_aliases() {
    check(
        "far.default.svc.cluster.local.",
        RecordType::A,
        "alias example.com.",
    );
    check(
        "far.default.svc.cluster.local.",
        RecordType::CNAME,
        "example.com.",
    );
}

#[test]
fn names_between_exist_without_records() {
    check("cluster.local.", RecordType::A, "NoData");
    check("svc.cluster.local.", RecordType::A, "NoData");
    check("default.svc.cluster.local.", RecordType::A, "NoData");
    check("nowhere.svc.cluster.local.", RecordType::A, "NoSuchName");
    check("dns-version.cluster.local.", RecordType::TXT, "1.1.0");
}

#[test]
fn pods_have_names_that_spell_their_address() {
    check(
        "10-244-0-2.default.pod.cluster.local.",
        RecordType::A,
        "10.244.0.2",
    );
    check(
        "10-244-0-2.nowhere.pod.cluster.local.",
        RecordType::A,
        "NoSuchName",
    );
}

#[test]
fn addresses_have_names() {
    check(
        "7.0.96.10.in-addr.arpa.",
        RecordType::PTR,
        "web.default.svc.cluster.local.",
    );
    check(
        "2.0.244.10.in-addr.arpa.",
        RecordType::PTR,
        "db-0.db.default.svc.cluster.local.",
    );
    check("9.9.9.9.in-addr.arpa.", RecordType::PTR, "Foreign");
}

#[test]
fn other_names_are_foreign() {
    check("example.com.", RecordType::A, "Foreign");
    check("local.", RecordType::A, "Foreign");
}
