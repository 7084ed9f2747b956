//! Storage that is deleted while it is in use, and what lets it go.

mod cluster;

use cluster::Cluster;
use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use serde_json::{Value, json};

const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";
const VOLUMES: &str = "/api/v1/persistentvolumes";
const CLASSES: &str = "/apis/storage.k8s.io/v1/volumeattributesclasses";
const PODS: &str = "/api/v1/namespaces/default/pods";

async fn call(cluster: &Cluster, method: &str, uri: &str, body: Value) -> Option<Value> {
    let request = http::Request::builder().method(method).uri(uri);
    let request = request.header("content-type", "application/merge-patch+json");
    let body = match body {
        Value::Null => Vec::new(),
        body => body.to_string().into_bytes(),
    };
    let request = request.body(body).expect("a request");
    match cluster.ctx.client.request::<Value>(request).await {
        Ok(answer) => Some(answer),
        Err(kube::Error::Api(status)) if status.is_not_found() => None,
        Err(error) => panic!("{error}"),
    }
}

async fn finalizers(cluster: &Cluster, uri: &str) -> Option<Value> {
    let found = call(cluster, "GET", uri, Value::Null).await?;
    Some(found["metadata"]["finalizers"].clone())
}

#[tokio::test(start_paused = true)]
async fn a_claim_waits_for_the_pods_that_use_it() {
    let cluster = Cluster::start(&["persistentvolumeclaim-protection"]);
    let uri = format!("{CLAIMS}/data");
    cluster
        .api
        .put_new(CLAIMS, &json!({"metadata": {"name": "data"}}));
    let volumes = json!([{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]);
    for (name, node) in [("user", "n1"), ("waiting", "")] {
        let spec = json!({"nodeName": node, "containers": [], "volumes": volumes});
        cluster
            .api
            .put_new(PODS, &json!({"metadata": {"name": name}, "spec": spec}));
    }
    cluster.settle().await;
    let ours = json!(["kubernetes.io/pvc-protection"]);
    assert_eq!(finalizers(&cluster, &uri).await, Some(ours.clone()));
    call(&cluster, "DELETE", &uri, json!({})).await;
    cluster.settle().await;
    assert_eq!(finalizers(&cluster, &uri).await, Some(ours));
    let now = DeleteParams::default().grace_period(0);
    cluster.delete::<Pod>("user", now).await;
    cluster.settle().await;
    assert_eq!(finalizers(&cluster, &uri).await, None);
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_volume_waits_until_it_is_bound_no_more() {
    let cluster = Cluster::start(&["persistentvolume-protection"]);
    let uri = format!("{VOLUMES}/v");
    let volume = json!({"metadata": {"name": "v"}, "spec": {}, "status": {"phase": "Bound"}});
    cluster.api.put_new(VOLUMES, &volume);
    cluster.settle().await;
    let ours = json!(["kubernetes.io/pv-protection"]);
    call(&cluster, "DELETE", &uri, json!({})).await;
    cluster.settle().await;
    assert_eq!(finalizers(&cluster, &uri).await, Some(ours));
    let released = json!({"status": {"phase": "Released"}});
    call(&cluster, "PATCH", &format!("{uri}/status"), released).await;
    cluster.settle().await;
    assert_eq!(finalizers(&cluster, &uri).await, None);
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_class_waits_until_no_claim_and_no_volume_names_it() {
    let cluster = Cluster::start(&["volumeattributesclass-protection"]);
    let uri = format!("{CLASSES}/gold");
    let class = json!({"metadata": {"name": "gold"}, "driverName": "example.com"});
    cluster.api.put_new(CLASSES, &class);
    let spec = json!({"volumeAttributesClassName": "gold"});
    for (uri, name) in [(CLAIMS, "c"), (VOLUMES, "v")] {
        let user = json!({"metadata": {"name": name}, "spec": spec});
        cluster.api.put_new(uri, &user);
    }
    cluster.settle().await;
    let ours = json!(["kubernetes.io/vac-protection"]);
    call(&cluster, "DELETE", &uri, json!({})).await;
    let silver = json!({"spec": {"volumeAttributesClassName": "silver"}});
    call(&cluster, "PATCH", &format!("{VOLUMES}/v"), silver).await;
    cluster.settle().await;
    assert_eq!(finalizers(&cluster, &uri).await, Some(ours));
    call(&cluster, "DELETE", &format!("{CLAIMS}/c"), json!({})).await;
    cluster.settle().await;
    assert_eq!(finalizers(&cluster, &uri).await, None);
    cluster.stop().await;
}
