//! Namespaces: what they come with, and how they go.

mod cluster;

use std::time::Duration;

use cluster::Cluster;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, ServiceAccount};
use kube::{
    Api,
    api::{DeleteParams, ListParams},
};
use serde_json::json;

const NAMESPACES: &str = "/api/v1/namespaces";

fn namespace(name: &str) -> serde_json::Value {
    json!({
        "metadata": {"name": name}, "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    })
}

#[tokio::test(start_paused = true)]
async fn every_namespace_has_a_default_account_and_keeps_it() {
    let cluster = Cluster::start(&["service-account"]);
    cluster.api.put_new(NAMESPACES, &namespace("default"));
    cluster.settle().await;
    assert_eq!(cluster.list::<ServiceAccount>().await.len(), 1);
    cluster
        .delete::<ServiceAccount>("default", DeleteParams::default())
        .await;
    cluster.settle().await;
    assert_eq!(cluster.list::<ServiceAccount>().await.len(), 1);
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_root_certificate_is_published_and_restored() {
    let cluster = Cluster::start(&[]);
    let publisher = k8s_controllers::root_ca::run(cluster.ctx.clone(), "PEM".into());
    let publisher = tokio::spawn(publisher);
    cluster.api.put_new(NAMESPACES, &namespace("default"));
    cluster.settle().await;
    let name = "kube-root-ca.crt";
    let broken = json!({"data": {"ca.crt": "something else"}});
    cluster.change::<ConfigMap>(name, broken).await;
    cluster.settle().await;
    let config = cluster.list::<ConfigMap>().await.remove(0);
    assert_eq!(config.data.unwrap()["ca.crt"], "PEM");
    cluster.ctx.cancel.cancel();
    publisher.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_namespace_goes_after_its_content_and_pods_go_first() {
    let cluster = Cluster::start(&["namespace"]);
    let api: Api<Namespace> = Api::all(cluster.ctx.client.clone());
    // Held by a finalizer, so that the deletion only marks it, as the API server does.
    let mut held = namespace("default");
    held["metadata"]["finalizers"] = json!(["stands-in-for-the-registry"]);
    cluster.api.put_new(NAMESPACES, &held);
    let pods = "/api/v1/namespaces/default/pods";
    let stuck = json!({"metadata": {"name": "p", "finalizers": ["example.com/hold"]}, "spec": {"containers": []}});
    cluster.api.put_new(pods, &stuck);
    let configs = "/api/v1/namespaces/default/configmaps";
    cluster
        .api
        .put_new(configs, &json!({"metadata": {"name": "c"}}));
    api.delete("default", &DeleteParams::default())
        .await
        .unwrap();
    cluster.settle().await;
    let status = api.get("default").await.unwrap().status.unwrap();
    assert_eq!(status.phase.as_deref(), Some("Terminating"));
    let messages: Vec<String> = status
        .conditions
        .unwrap()
        .into_iter()
        .filter(|condition| condition.status == "True")
        .filter_map(|condition| condition.message)
        .collect();
    assert_eq!(
        messages,
        [
            "Some resources are remaining: pods. has 1 resource instances",
            "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
        ]
    );
    assert_eq!(cluster.list::<ConfigMap>().await.len(), 1);

    let free = json!({"metadata": {"finalizers": null}});
    cluster.change::<Pod>("p", free).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(cluster.list::<ConfigMap>().await.len(), 0);
    let left = api.get("default").await.unwrap().spec.unwrap().finalizers;
    assert!(left.unwrap_or_default().is_empty());
    assert_eq!(
        api.list(&ListParams::default()).await.unwrap().items.len(),
        1
    );
    cluster.stop().await;
}
