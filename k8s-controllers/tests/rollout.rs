//! A Deployment's life, from its creation to its end, by the controllers alone.

mod cluster;

use cluster::Cluster;
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::{Event, Pod},
};
use kube::api::DeleteParams;
use serde_json::{Value, json};

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

fn deployment(replicas: i32) -> Value {
    json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas, "progressDeadlineSeconds": 600, "revisionHistoryLimit": 10,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "blue"}]},
            },
        },
    })
}

fn image(pod: &Pod) -> String {
    let containers = &pod.spec.as_ref().expect("pods have a spec").containers;
    containers[0].image.clone().unwrap_or_default()
}

fn is_done(deployment: &Deployment) -> bool {
    let status = deployment.status.clone().unwrap_or_default();
    let wanted = deployment.spec.replicas;
    status.replicas == wanted
        && status.updated_replicas == wanted
        && status.available_replicas == wanted
        && status.observed_generation == deployment.metadata.generation
}

async fn web(cluster: &Cluster) -> Deployment {
    cluster.list::<Deployment>().await.remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_deployment_is_created_updated_scaled_and_deleted() {
    let cluster = Cluster::start(&["deployment", "replicaset", "garbage-collector"]);
    cluster.api.put_new(DEPLOYMENTS, &deployment(3));
    cluster.settle().await;
    let pods = cluster.list::<Pod>().await;
    assert_eq!(pods.len(), 3);
    assert!(is_done(&web(&cluster).await));

    let change =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "green"}]}}}});
    cluster.change::<Deployment>("web", change).await;
    cluster.settle().await;
    let pods = cluster.list::<Pod>().await;
    let images: Vec<String> = pods.iter().map(image).collect();
    assert_eq!(images, ["green", "green", "green"]);
    let updated = web(&cluster).await;
    assert!(is_done(&updated));
    let revision = &updated.metadata.annotations.unwrap()["deployment.kubernetes.io/revision"];
    assert_eq!(revision, "2");
    assert_eq!(cluster.list::<ReplicaSet>().await.len(), 2);

    let scale = json!({"spec": {"replicas": 5}});
    cluster.change::<Deployment>("web", scale).await;
    cluster.settle().await;
    assert_eq!(cluster.list::<Pod>().await.len(), 5);
    assert!(is_done(&web(&cluster).await));

    let messages: Vec<String> = cluster
        .list::<Event>()
        .await
        .into_iter()
        .filter(|event| event.reason.as_deref() == Some("ScalingReplicaSet"))
        .filter_map(|event| event.message)
        .map(|message| message.split_once("from").expect("sizes").1.to_owned())
        .collect();
    let mut sorted = messages.clone();
    sorted.sort();
    assert_eq!(
        sorted,
        [
            " 0 to 1", " 0 to 3", " 1 to 0", " 1 to 2", " 2 to 1", " 2 to 3", " 3 to 2", " 3 to 5"
        ]
    );

    cluster
        .delete::<Deployment>("web", DeleteParams::background())
        .await;
    cluster.settle().await;
    assert_eq!(cluster.list::<ReplicaSet>().await.len(), 0);
    assert_eq!(cluster.list::<Pod>().await.len(), 0);
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_deleted_pod_is_replaced() {
    let cluster = Cluster::start(&["deployment", "replicaset"]);
    cluster.api.put_new(DEPLOYMENTS, &deployment(3));
    cluster.settle().await;
    let victim = cluster.list::<Pod>().await.remove(0);
    let name = victim.metadata.name.unwrap();
    cluster.delete::<Pod>(&name, DeleteParams::default()).await;
    cluster.settle().await;
    let pods = cluster.list::<Pod>().await;
    assert_eq!(pods.len(), 3);
    assert!(
        pods.iter()
            .all(|pod| pod.metadata.uid != victim.metadata.uid)
    );
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_orphaned_pod_is_adopted_and_one_that_no_longer_matches_released() {
    let cluster = Cluster::start(&["deployment", "replicaset"]);
    cluster.api.put_new(DEPLOYMENTS, &deployment(2));
    cluster.settle().await;
    let pod = cluster.list::<Pod>().await.remove(0);
    let name = pod.metadata.name.unwrap();
    let orphan = json!({"metadata": {"ownerReferences": null}});
    cluster.change::<Pod>(&name, orphan).await;
    cluster.settle().await;
    let pods = cluster.list::<Pod>().await;
    assert_eq!(pods.len(), 2);
    assert!(
        pods.iter()
            .all(|pod| pod.metadata.owner_references.is_some())
    );
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn foreground_deletion_removes_pods_before_their_owners() {
    let cluster = Cluster::start(&["deployment", "replicaset", "garbage-collector"]);
    cluster.api.put_new(DEPLOYMENTS, &deployment(2));
    cluster.settle().await;
    cluster
        .delete::<Deployment>("web", DeleteParams::foreground())
        .await;
    cluster.settle().await;
    assert_eq!(cluster.list::<Pod>().await.len(), 0);
    assert_eq!(cluster.list::<ReplicaSet>().await.len(), 0);
    assert_eq!(cluster.list::<Deployment>().await.len(), 0);
    let requests = cluster.api.requests();
    let position = |prefix: &str| {
        let mut positions = requests.iter();
        positions.rposition(|request| request.starts_with(prefix))
    };
    let pods = position("DELETE /api/v1/namespaces/default/pods/");
    let sets = position("PATCH /apis/apps/v1/namespaces/default/replicasets/");
    let web = position("PATCH /apis/apps/v1/namespaces/default/deployments/web");
    assert!(pods < sets && sets < web);
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn orphaning_leaves_the_dependents_to_themselves() {
    let cluster = Cluster::start(&["deployment", "replicaset", "garbage-collector"]);
    cluster.api.put_new(DEPLOYMENTS, &deployment(2));
    cluster.settle().await;
    cluster
        .delete::<Deployment>("web", DeleteParams::orphan())
        .await;
    cluster.settle().await;
    assert_eq!(cluster.list::<Deployment>().await.len(), 0);
    let sets = cluster.list::<ReplicaSet>().await;
    assert_eq!(sets.len(), 1);
    let owners = sets[0].metadata.owner_references.as_deref();
    assert!(owners.unwrap_or_default().is_empty());
    assert_eq!(cluster.list::<Pod>().await.len(), 2);
    cluster.stop().await;
}
