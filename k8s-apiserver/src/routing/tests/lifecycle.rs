//! How objects end: grace, finalizers, namespaces.

use std::time::Duration;

use super::*;

const NAMESPACES: &str = "/api/v1/namespaces";

async fn bind(api: &Api, name: &str) {
    let binding =
        json!({ "metadata": { "name": name }, "target": { "kind": "Node", "name": "n1" } });
    api.post(&format!("{PODS}/{name}/binding"), binding)
        .await
        .ok();
}

#[tokio::test(start_paused = true)]
async fn a_pod_without_a_node_goes_at_once() {
    let api = Api::start().await;
    api.post(PODS, pod("a")).await.ok();
    api.delete(&format!("{PODS}/a")).await.ok();
    assert_eq!(
        api.get(&format!("{PODS}/a")).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test(start_paused = true)]
async fn a_running_pod_is_given_its_grace() {
    let api = Api::start().await;
    let uri = format!("{PODS}/a");
    api.post(PODS, pod("a")).await.ok();
    bind(&api, "a").await;
    let going = api.delete(&uri).await.ok();
    assert_eq!(going["metadata"]["deletionGracePeriodSeconds"], 30);
    assert!(going["metadata"]["deletionTimestamp"].is_string());
    // A second delete changes nothing, a shorter grace shortens it, zero ends it.
    assert_eq!(api.delete(&uri).await.ok(), going);
    let shorter = api
        .delete_with(&uri, json!({ "gracePeriodSeconds": 5 }))
        .await
        .ok();
    assert_eq!(shorter["metadata"]["deletionGracePeriodSeconds"], 5);
    api.delete(&format!("{uri}?gracePeriodSeconds=0"))
        .await
        .ok();
    assert_eq!(api.get(&uri).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn finalizers_hold_an_object() {
    let api = Api::start().await;
    let uri = format!("{MAPS}/a");
    let mut map = config_map("a", "1");
    map["metadata"]["finalizers"] = json!(["example.com/hold"]);
    api.post(MAPS, map).await.ok();
    let going = api.delete(&uri).await.ok();
    assert!(going["metadata"]["deletionTimestamp"].is_string());
    api.patch(&uri, "merge-patch", json!({ "data": { "still": "here" } }))
        .await
        .ok();
    let gone = api
        .patch(
            &uri,
            "merge-patch",
            json!({ "metadata": { "finalizers": null } }),
        )
        .await;
    assert_eq!(gone.status, StatusCode::OK);
    assert_eq!(api.get(&uri).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn propagation_leaves_a_finalizer_for_the_collector() {
    let api = Api::start().await;
    for (policy, finalizer) in [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")] {
        api.post(MAPS, config_map("a", "1")).await.ok();
        let uri = format!("{MAPS}/a");
        let going = api
            .delete_with(&uri, json!({ "propagationPolicy": policy }))
            .await
            .ok();
        assert_eq!(going["metadata"]["finalizers"], json!([finalizer]));
        api.delete(&format!("{uri}?propagationPolicy=Background"))
            .await
            .ok();
        assert_eq!(api.get(&uri).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test(start_paused = true)]
async fn preconditions_guard_a_delete() {
    let api = Api::start().await;
    let uri = format!("{MAPS}/a");
    let made = api.post(MAPS, config_map("a", "1")).await.ok();
    for wanted in [json!({ "uid": "other" }), json!({ "resourceVersion": "1" })] {
        let refused = api
            .delete_with(&uri, json!({ "preconditions": wanted }))
            .await;
        assert_eq!(refused.status, StatusCode::CONFLICT);
        assert!(
            refused.failure().contains("Precondition failed"),
            "{}",
            refused.failure()
        );
    }
    let wanted = json!({ "uid": made["metadata"]["uid"] });
    api.delete_with(&uri, json!({ "preconditions": wanted }))
        .await
        .ok();
}

#[tokio::test(start_paused = true)]
async fn a_namespace_closes_before_it_goes() {
    let api = Api::start().await;
    let made = api
        .post(NAMESPACES, json!({ "metadata": { "name": "a" } }))
        .await
        .ok();
    assert_eq!(made["status"]["phase"], "Active");
    assert_eq!(made["spec"]["finalizers"], json!(["kubernetes"]));
    let maps = "/api/v1/namespaces/a/configmaps";
    api.post(maps, config_map("x", "1")).await.ok();
    let going = api.delete(&format!("{NAMESPACES}/a")).await.ok();
    assert_eq!(going["status"]["phase"], "Terminating");
    let refused = api.post(maps, config_map("y", "1")).await;
    assert_eq!(
        refused.json()["details"]["causes"][0]["reason"],
        "NamespaceTerminating"
    );
    assert_eq!(
        refused.failure(),
        "403 Forbidden: configmaps \"y\" is forbidden: unable to create new content in namespace a because it is \
         being terminated"
    );
    api.delete(maps).await.ok();
    let mut last = api.get(&format!("{NAMESPACES}/a")).await.ok();
    last["spec"]["finalizers"] = json!([]);
    api.put(&format!("{NAMESPACES}/a/finalize"), last)
        .await
        .ok();
    assert_eq!(
        api.get(&format!("{NAMESPACES}/a")).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test(start_paused = true)]
async fn some_namespaces_never_go() {
    let api = Api::start().await;
    assert_eq!(
        api.delete(&format!("{NAMESPACES}/kube-system"))
            .await
            .failure(),
        "403 Forbidden: namespaces \"kube-system\" is forbidden: this namespace may not be deleted"
    );
}

#[tokio::test(start_paused = true)]
async fn a_collection_is_deleted_by_selector() {
    let api = Api::start().await;
    for name in ["a", "b", "c"] {
        api.post(PODS, pod(name)).await.ok();
    }
    let deleted = api
        .delete(&format!("{PODS}?labelSelector=app!=b"))
        .await
        .ok();
    assert_eq!(deleted["kind"], "PodList");
    assert_eq!(deleted["items"].as_array().unwrap().len(), 2);
    let left = api.get(PODS).await.ok();
    assert_eq!(left["items"][0]["metadata"]["name"], "b");
    assert_eq!(left["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn events_go_an_hour_after_they_were_written_last() {
    let api = Api::start().await;
    let events = "/api/v1/namespaces/default/events";
    let uri = format!("{events}/e");
    let object = json!({ "kind": "Pod", "namespace": "default", "name": "web" });
    let event =
        json!({ "metadata": { "name": "e" }, "involvedObject": object, "reason": "Pulled" });
    api.post(events, event).await.ok();
    let half = Duration::from_secs(1800);
    tokio::time::sleep(half).await;
    api.patch(&uri, "merge-patch", json!({ "count": 2 }))
        .await
        .ok();
    tokio::time::sleep(half).await;
    api.get(&uri).await.ok();
    tokio::time::sleep(half + Duration::from_secs(2)).await;
    assert_eq!(api.get(&uri).await.status, StatusCode::NOT_FOUND);
}
