//! A test of a controller against a real API server, in milliseconds: `cargo run -p embedded-test`.

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use k8s_testkit::Cluster;
use kube::{
    Api,
    api::{DeleteParams, ListParams, PostParams},
};
use serde_json::{from_value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let started = std::time::Instant::now();
    let parts = ["deployment", "replicaset", "garbage-collector"];
    let cluster = Cluster::builder().controllers(parts).start().await?;
    let deployments: Api<Deployment> = Api::default_namespaced(cluster.client());
    let pods: Api<Pod> = Api::default_namespaced(cluster.client());

    let web = from_value(json!({
        "metadata": { "name": "web" },
        "spec": {
            "replicas": 3,
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "web", "image": "web:1" }] },
            },
        },
    }))?;
    deployments.create(&PostParams::default(), &web).await?;
    cluster.until(&pods, |pods| pods.len() == 3).await?;

    deployments
        .delete("web", &DeleteParams::background())
        .await?;
    cluster.until(&pods, |pods| pods.is_empty()).await?;
    assert!(pods.list(&ListParams::default()).await?.items.is_empty());
    println!("three pods came and went in {:?}", started.elapsed());
    Ok(())
}
