//! Services and what they are allocated.

use std::collections::BTreeSet;

use super::*;

const SERVICES: &str = "/api/v1/namespaces/default/services";

fn service(name: &str, spec: Value) -> Value {
    let mut service =
        json!({ "metadata": { "name": name }, "spec": { "ports": [{ "port": 80 }] } });
    for (field, value) in spec.as_object().unwrap() {
        service["spec"][field] = value.clone();
    }
    service
}

#[tokio::test(start_paused = true)]
async fn the_server_has_a_service_and_its_endpoints() {
    let api = Api::start().await;
    let service = api.get(&format!("{SERVICES}/kubernetes")).await.ok();
    assert_eq!(service["spec"]["clusterIP"], "10.96.0.1");
    let endpoints = api
        .get("/api/v1/namespaces/default/endpoints/kubernetes")
        .await
        .ok();
    assert_eq!(endpoints["subsets"][0]["addresses"][0]["ip"], "127.0.0.1");
    let slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes";
    assert_eq!(api.get(slices).await.ok()["ports"][0]["port"], 6443);
}

#[tokio::test(start_paused = true)]
async fn addresses_are_unique_even_in_a_race() {
    let api = Api::start().await;
    let creates = (0..40).map(|index| {
        let service = service(&format!("s{index}"), json!({ "type": "NodePort" }));
        api.post(SERVICES, service)
    });
    let mut addresses = BTreeSet::new();
    let mut ports = BTreeSet::new();
    for made in futures::future::join_all(creates).await {
        let made = made.ok();
        addresses.insert(made["spec"]["clusterIP"].as_str().unwrap().to_owned());
        ports.insert(made["spec"]["ports"][0]["nodePort"].as_u64().unwrap());
        assert_eq!(made["spec"]["clusterIPs"][0], made["spec"]["clusterIP"]);
    }
    assert_eq!((addresses.len(), ports.len()), (40, 40));
    assert!(ports.iter().all(|port| (30000..=32767).contains(port)));
}

#[tokio::test(start_paused = true)]
async fn wanted_addresses_are_given_once_and_come_back() {
    let api = Api::start().await;
    let wanted = || service("dns", json!({ "clusterIP": "10.96.0.10" }));
    api.post(SERVICES, wanted()).await.ok();
    let mut second = wanted();
    second["metadata"]["name"] = "other".into();
    let refused = api.post(SERVICES, second.clone()).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        refused
            .failure()
            .contains("provided IP is already allocated"),
        "{}",
        refused.failure()
    );
    let outside = api
        .post(
            SERVICES,
            service("far", json!({ "clusterIP": "192.168.0.1" })),
        )
        .await;
    assert!(
        outside
            .failure()
            .contains("the provided network does not match the current range"),
        "{}",
        outside.failure()
    );
    api.delete(&format!("{SERVICES}/dns")).await.ok();
    api.post(SERVICES, second).await.ok();
}

#[tokio::test(start_paused = true)]
async fn a_health_check_s_port_that_cannot_be_had_is_the_servers_fault() {
    let api = Api::start().await;
    let local = |port: Value| {
        json!({
            "type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": port,
            "ports": [{ "port": 80 }],
        })
    };
    let uri = format!("{SERVICES}/a");
    let made = api.post(SERVICES, service("a", local(json!(30090)))).await;
    assert_eq!(made.ok()["spec"]["healthCheckNodePort"], 30090);
    let start = "500 InternalError: Internal error occurred: failed to allocate requested HealthCheck NodePort";
    for (port, why) in [
        (30090, "provided port is already allocated"),
        (
            90,
            "provided port is not in the valid range. The range of valid ports is 30000-32767",
        ),
    ] {
        let refused = api.post(SERVICES, service("b", local(json!(port)))).await;
        assert_eq!(refused.failure(), format!("{start} {port}: {why}"));
    }
    api.delete(&uri).await.ok();
    let again = api.post(SERVICES, service("b", local(json!(30090)))).await;
    assert_eq!(again.ok()["spec"]["healthCheckNodePort"], 30090);
}

#[tokio::test(start_paused = true)]
async fn node_ports_go_and_come_with_the_type() {
    let api = Api::start().await;
    let uri = format!("{SERVICES}/a");
    let spec = json!({ "type": "NodePort", "ports": [{ "port": 80, "nodePort": 30080 }] });
    let made = api.post(SERVICES, service("a", spec.clone())).await.ok();
    let refused = api.post(SERVICES, service("b", spec.clone())).await;
    assert!(
        refused
            .failure()
            .contains("provided port is already allocated"),
        "{}",
        refused.failure()
    );
    let low = json!({ "type": "NodePort", "ports": [{ "port": 80, "nodePort": 80 }] });
    let refused = api.post(SERVICES, service("b", low)).await;
    assert!(
        refused.failure().contains("30000-32767"),
        "{}",
        refused.failure()
    );

    // A replacement that leaves out what was allocated keeps it.
    let kept = api
        .put(&uri, service("a", json!({ "type": "NodePort" })))
        .await
        .ok();
    assert_eq!(kept["spec"]["clusterIP"], made["spec"]["clusterIP"]);
    assert_eq!(kept["spec"]["ports"][0]["nodePort"], 30080);

    let changed = api
        .patch(
            &uri,
            "merge-patch",
            json!({ "spec": { "type": "ClusterIP" } }),
        )
        .await
        .ok();
    assert!(changed["spec"]["ports"][0].get("nodePort").is_none());
    api.post(SERVICES, service("b", spec)).await.ok();
}

#[tokio::test(start_paused = true)]
async fn headless_and_external_services_take_nothing() {
    let api = Api::start().await;
    let headless = api
        .post(SERVICES, service("h", json!({ "clusterIP": "None" })))
        .await
        .ok();
    assert_eq!(headless["spec"]["clusterIPs"], json!(["None"]));
    let name = json!({ "metadata": { "name": "e" }, "spec": { "type": "ExternalName", "externalName": "example.com" } });
    let external = api.post(SERVICES, name).await.ok();
    assert!(external["spec"].get("clusterIP").is_none());
}
