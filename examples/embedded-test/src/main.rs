//! A test against a real API server with real controllers: `cargo run --release -p embedded-test`.

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use k8s_testkit::Cluster;
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use serde_json::{from_value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let started = std::time::Instant::now();
    let parts = ["deployment", "replicaset", "garbage-collector"];
    let cluster = Cluster::builder().controllers(parts).start().await?;
    let deployments: Api<Deployment> = Api::default_namespaced(cluster.client());
    let pods: Api<Pod> = Api::default_namespaced(cluster.client());

    let labels = json!({ "app": "web" });
    let web = from_value(json!({
        "metadata": { "name": "web" },
        "spec": {
            "replicas": 3,
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": { "containers": [{ "name": "web", "image": "web:1" }] },
            },
        },
    }))?;
    deployments.create(&PostParams::default(), &web).await?;
    cluster.until(&pods, |pods| pods.len() == 3).await?;

    let policy = DeleteParams::background();
    deployments.delete("web", &policy).await?;
    cluster.until(&pods, |pods| pods.is_empty()).await?;
    println!("three pods came and went in {:?}", started.elapsed());
    Ok(())
}
