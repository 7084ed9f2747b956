//! StatefulSets on a whole control plane: pods in order, claims that outlive them, a rollout from the top.

use std::sync::Arc;

use k8s_openapi::api::{
    apps::v1::{ControllerRevision, StatefulSet},
    core::v1::{Event, PersistentVolumeClaim, Pod},
};
use k8s_testkit::Cluster;
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;

#[tokio::test]
async fn members_keep_their_names_and_claims_through_scaling_and_rollout() {
    let cluster = Cluster::builder()
        .controllers(["statefulset", "garbage-collector"])
        .scheduler()
        .hollow_nodes(1)
        .start()
        .await
        .unwrap();
    let sets: Api<StatefulSet> = Api::default_namespaced(cluster.client());
    let pods: Api<Pod> = Api::default_namespaced(cluster.client());
    let claims: Api<PersistentVolumeClaim> = Api::default_namespaced(cluster.client());
    let revisions: Api<ControllerRevision> = Api::default_namespaced(cluster.client());
    let events: Api<Event> = Api::default_namespaced(cluster.client());
    let set = json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 3,
            "serviceName": "www",
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "first"}], "terminationGracePeriodSeconds": 0},
            },
        },
    });
    let params = PostParams::default();
    sets.create(&params, &serde_json::from_value(set).unwrap())
        .await
        .unwrap();
    let settled = |image: &'static str, count: i32| {
        move |sets: &[Arc<StatefulSet>]| {
            let template = sets[0].spec.template.spec.clone().unwrap();
            let status = sets[0].status.clone().unwrap_or_default();
            template.containers[0].image.as_deref() == Some(image)
                && status.observed_generation == sets[0].metadata.generation
                && status.ready_replicas == Some(count)
                && status.replicas == count
                && status.current_revision == status.update_revision
        }
    };
    cluster.until(&sets, settled("first", 3)).await.unwrap();
    let names = |pods: &[Pod]| {
        let mut names: Vec<_> = pods
            .iter()
            .filter_map(|pod| pod.metadata.name.clone())
            .collect();
        names.sort();
        names
    };
    let all = pods.list(&Default::default()).await.unwrap().items;
    assert_eq!(names(&all), ["web-0", "web-1", "web-2"]);
    let labels = all[0].metadata.labels.clone().unwrap();
    assert_eq!(labels["apps.kubernetes.io/pod-index"], "0");

    let image = json!([{"name": "c", "image": "second"}]);
    let change = json!({"spec": {"replicas": 2, "template": {"spec": {"containers": image}}}});
    sets.patch("web", &PatchParams::default(), &Patch::Merge(change))
        .await
        .unwrap();
    cluster.until(&sets, settled("second", 2)).await.unwrap();
    let all = pods.list(&Default::default()).await.unwrap().items;
    assert_eq!(names(&all), ["web-0", "web-1"]);
    let images = all.iter().map(|pod| {
        pod.spec.clone().unwrap().containers[0]
            .image
            .clone()
            .unwrap()
    });
    assert_eq!(images.collect::<Vec<_>>(), ["second", "second"]);
    let two = |revisions: &[Arc<ControllerRevision>]| revisions.len() == 2;
    cluster.until(&revisions, two).await.unwrap();
    let told = |events: &[Arc<Event>]| {
        let mut messages = events.iter().filter_map(|event| event.message.as_deref());
        messages.any(|text| text == "delete Pod web-2 in StatefulSet web successful")
    };
    cluster.until(&events, told).await.unwrap();

    // Its claims are made before the pods, and stay when those go.
    let set = json!({
        "metadata": {"name": "db"},
        "spec": {
            "selector": {"matchLabels": {"app": "db"}},
            "template": {
                "metadata": {"labels": {"app": "db"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}],
        },
    });
    sets.create(&params, &serde_json::from_value(set).unwrap())
        .await
        .unwrap();
    let made = |pods: &[Arc<Pod>]| {
        pods.iter()
            .any(|pod| pod.metadata.name.as_deref() == Some("db-0"))
    };
    cluster.until(&pods, made).await.unwrap();
    assert!(claims.get_opt("data-db-0").await.unwrap().is_some());
    let none = Patch::Merge(json!({"spec": {"replicas": 0}}));
    sets.patch("db", &PatchParams::default(), &none)
        .await
        .unwrap();
    cluster.until(&pods, |pods| !made(pods)).await.unwrap();
    assert!(claims.get_opt("data-db-0").await.unwrap().is_some());
    cluster.stop().await;
}
