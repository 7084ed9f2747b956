//! Pods that files on the node define.

use std::sync::Arc;

use k8s_kubelet::{cri::Runtime, source::annotation};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

use super::world::{NODE, World, one, usual};

fn define(world: &World, image: &str) {
    let manifest = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": image}]},
    });
    let path = world.manifests().join("web.yaml");
    std::fs::write(path, manifest.to_string()).unwrap();
}

fn phase(pod: &Pod) -> &str {
    let status = pod.status.as_ref();
    let phase = status.and_then(|status| status.phase.as_deref());
    phase.unwrap_or_default()
}

/// Waits for an image of the pod that is another than `before` and tells that it runs.
async fn until_mirrored(world: &World, before: Option<&Pod>) -> Arc<Pod> {
    let before = before.and_then(|pod| pod.metadata.uid.clone());
    let is_there = |pod: Option<&Pod>| {
        pod.is_some_and(|pod| {
            let is_up = phase(pod) == "Running";
            is_up && annotation::is_mirror(pod) && pod.metadata.uid != before
        })
    };
    world.until("web-n1", is_there).await.unwrap()
}

async fn containers(world: &World) -> Vec<String> {
    let all = world.runtime.containers(None).await.unwrap();
    all.into_iter().map(|run| run.id).collect()
}

#[tokio::test]
async fn the_api_shows_what_a_file_defines_and_can_do_nothing_to_it() {
    let world = World::new(usual()).await;
    define(&world, "x:1");
    let agent = world.run_agent();
    let mirror = until_mirrored(&world, None).await;
    let meta = &mirror.metadata;
    let owner = &meta.owner_references.as_ref().unwrap()[0];
    assert_eq!((owner.kind.as_str(), owner.name.as_str()), ("Node", NODE));
    let annotations = meta.annotations.as_ref().unwrap();
    assert_eq!(annotations[annotation::SOURCE], "file");
    assert_eq!(
        annotations[annotation::HASH],
        annotations[annotation::MIRROR]
    );
    assert_ne!(Some(&annotations[annotation::HASH]), meta.uid.as_ref());
    let before = containers(&world).await;

    world
        .pods()
        .delete("web-n1", &DeleteParams::default())
        .await
        .unwrap();
    let again = until_mirrored(&world, Some(&mirror)).await;
    assert_eq!(containers(&world).await, before, "the pod ran on");

    agent.stop().await;
    let agent = world.run_agent();
    world.create("other", one("Always")).await;
    world.until_phase("other", "Running").await;
    let now = world.pods().get("web-n1").await.unwrap();
    assert_eq!(now.metadata.uid, again.metadata.uid);
    assert!(
        before
            .iter()
            .all(|id| futures::executor::block_on(containers(&world)).contains(id))
    );
    agent.stop().await;
}

#[tokio::test]
async fn another_definition_replaces_the_pod_and_none_ends_it() {
    let world = World::new(usual()).await;
    let agent = world.run_agent();
    define(&world, "x:1");
    let first = until_mirrored(&world, None).await;
    define(&world, "x:2");
    let second = until_mirrored(&world, Some(&first)).await;
    let image = |pod: &Pod| {
        pod.spec.as_ref().unwrap().containers[0]
            .image
            .clone()
            .unwrap()
    };
    assert_eq!(image(&second), "x:2");
    std::fs::remove_file(world.manifests().join("web.yaml")).unwrap();
    world.until("web-n1", |pod| pod.is_none()).await;
    agent.stop().await;
}

#[tokio::test]
async fn an_image_of_nothing_is_removed_and_a_pod_can_not_pretend_to_be_static() {
    let world = World::new(usual()).await;
    let create = async |name: &str, annotations: Value| {
        let mut pod = json!({
            "metadata": {"name": name, "annotations": annotations}, "spec": one("Always"),
        });
        pod["spec"]["nodeName"] = NODE.into();
        let pod: Pod = serde_json::from_value(pod).unwrap();
        let params = PostParams::default();
        world.pods().create(&params, &pod).await.unwrap();
    };
    create("orphan", json!({annotation::MIRROR: "x"})).await;
    create("pretender", json!({annotation::SOURCE: "file"})).await;
    let agent = world.run_agent();
    world.until("orphan", |pod| pod.is_none()).await;
    world.until_phase("pretender", "Running").await;
    agent.stop().await;
}
