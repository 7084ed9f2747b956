//! Services and the endpoints that follow from their pods.

mod cluster;

use cluster::Cluster;
use k8s_openapi::api::{
    core::v1::{Endpoints, Pod},
    discovery::v1::EndpointSlice,
};
use kube::api::DeleteParams;
use serde_json::{Value, json};

const SERVICES: &str = "/api/v1/namespaces/default/services";
const PODS: &str = "/api/v1/namespaces/default/pods";

fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"app": "web"}}, "spec": {"containers": []}})
}

fn service() -> Value {
    json!({"metadata": {"name": "web"}, "spec": {
        "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}],
    }})
}

#[tokio::test(start_paused = true)]
async fn endpoints_follow_pods_and_idle_writes_nothing() {
    let cluster = Cluster::start(&["endpointslice", "endpoint"]);
    cluster.api.put_new(SERVICES, &service());
    cluster.api.put_new(PODS, &pod("a"));
    cluster.api.put_new(PODS, &pod("b"));
    cluster.settle().await;
    let slices = cluster.list::<EndpointSlice>().await;
    let endpoints: Vec<_> = slices
        .iter()
        .flat_map(|slice| slice.endpoints.iter().flatten())
        .collect();
    assert_eq!(endpoints.len(), 2);
    let is_ready = |conditions: &k8s_openapi::api::discovery::v1::EndpointConditions| {
        conditions.ready == Some(true)
    };
    assert!(
        endpoints
            .iter()
            .all(|endpoint| endpoint.conditions.as_ref().is_some_and(is_ready))
    );
    let legacy = cluster.list::<Endpoints>().await.remove(0);
    assert_eq!(
        legacy.subsets.unwrap()[0].addresses.as_ref().unwrap().len(),
        2
    );

    let before = cluster.api.requests().len();
    // News that no endpoint shows.
    let change = json!({"metadata": {"annotations": {"a": "b"}}});
    cluster.change::<Pod>("a", change).await;
    cluster.settle().await;
    assert_eq!(cluster.api.requests().len(), before + 1);

    cluster.delete::<Pod>("a", DeleteParams::default()).await;
    cluster.delete::<Pod>("b", DeleteParams::default()).await;
    cluster.settle().await;
    let slices = cluster.list::<EndpointSlice>().await;
    assert_eq!(slices.len(), 1);
    assert!(
        slices[0]
            .endpoints
            .as_deref()
            .unwrap_or_default()
            .is_empty()
    );
    cluster.stop().await;
}
