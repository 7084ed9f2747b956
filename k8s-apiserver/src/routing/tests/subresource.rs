//! What hangs below objects: status, scale, binding.

use super::*;

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

fn deployment() -> Value {
    json!({
        "metadata": { "name": "a" },
        "spec": {
            "replicas": 2,
            "selector": { "matchLabels": { "app": "a" } },
            "template": {
                "metadata": { "labels": { "app": "a" } },
                "spec": { "containers": [{ "name": "c", "image": "i" }] },
            },
        },
    })
}

#[tokio::test(start_paused = true)]
async fn spec_and_status_are_written_apart() {
    let api = Api::start().await;
    let mut with_status = deployment();
    with_status["status"] = json!({ "replicas": 9 });
    let made = api.post(DEPLOYMENTS, with_status).await.ok();
    assert_ne!(made["status"]["replicas"], 9);
    assert_eq!(made["metadata"]["generation"], 1);
    let uri = format!("{DEPLOYMENTS}/a");

    let mut observed = made.clone();
    observed["status"] = json!({ "replicas": 2, "observedGeneration": 1 });
    observed["spec"]["replicas"] = 7.into();
    let updated = api.put(&format!("{uri}/status"), observed).await.ok();
    assert_eq!(updated["status"]["replicas"], 2);
    assert_eq!(updated["spec"]["replicas"], 2);
    assert_eq!(updated["metadata"]["generation"], 1);

    let scaled = api
        .patch(
            &uri,
            "merge-patch",
            json!({ "spec": { "replicas": 3 }, "status": null }),
        )
        .await
        .ok();
    assert_eq!(scaled["status"]["replicas"], 2);
    assert_eq!(scaled["metadata"]["generation"], 2);
    assert_eq!(api.get(&format!("{uri}/status")).await.ok(), scaled);
}

#[tokio::test(start_paused = true)]
async fn scale_is_a_view_of_the_replicas() {
    let api = Api::start().await;
    api.post(DEPLOYMENTS, deployment()).await.ok();
    let uri = format!("{DEPLOYMENTS}/a/scale");
    let mut scale = api.get(&uri).await.ok();
    assert_eq!(scale["kind"], "Scale");
    assert_eq!(scale["apiVersion"], "autoscaling/v1");
    assert_eq!(scale["spec"]["replicas"], 2);
    assert_eq!(scale["status"]["selector"], "app=a");
    scale["spec"]["replicas"] = 5.into();
    let updated = api.put(&uri, scale.clone()).await.ok();
    assert_eq!(updated["spec"]["replicas"], 5);
    assert_eq!(api.put(&uri, scale).await.status, StatusCode::CONFLICT);
    let patched = api
        .patch(&uri, "merge-patch", json!({ "spec": { "replicas": 0 } }))
        .await
        .ok();
    assert_eq!(patched["spec"]["replicas"].as_i64().unwrap_or(0), 0);
    let negative = api
        .patch(&uri, "merge-patch", json!({ "spec": { "replicas": -1 } }))
        .await;
    assert_eq!(negative.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        api.get(&format!("{DEPLOYMENTS}/a")).await.ok()["spec"]["replicas"],
        0
    );
}

#[tokio::test(start_paused = true)]
async fn a_pod_is_bound_once() {
    let api = Api::start().await;
    api.post(PODS, pod("a")).await.ok();
    let uri = format!("{PODS}/a/binding");
    let to = |node: &str| json!({ "metadata": { "name": "a" }, "target": { "kind": "Node", "name": node } });
    let bound = api.post(&uri, to("n1")).await;
    assert_eq!(bound.status, StatusCode::CREATED);
    assert_eq!(bound.json()["status"], "Success");
    let pod = api.get(&format!("{PODS}/a")).await.ok();
    assert_eq!(pod["spec"]["nodeName"], "n1");
    let conditions = pod["status"]["conditions"].as_array().unwrap();
    let scheduled = conditions
        .iter()
        .find(|each| each["type"] == "PodScheduled")
        .unwrap();
    assert_eq!(scheduled["status"], "True");
    assert_eq!(
        api.post(&uri, to("n2")).await.failure(),
        "409 Conflict: Operation cannot be fulfilled on pods/binding \"a\": pod a is already assigned to node \"n1\""
    );
    assert_eq!(
        api.post(&uri, json!({ "target": {} })).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(api.get(&uri).await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test(start_paused = true)]
async fn pods_are_completed_at_admission() {
    let api = Api::start().await;
    let made = api.post(PODS, pod("a")).await.ok();
    assert_eq!(made["spec"]["serviceAccountName"], "default");
    assert_eq!(made["spec"]["priority"], 0);
    assert_eq!(made["spec"]["preemptionPolicy"], "PreemptLowerPriority");
    assert_eq!(made["spec"]["tolerations"].as_array().unwrap().len(), 2);
    assert_eq!(made["status"]["phase"], "Pending");
    let mut stranger = pod("b");
    stranger["spec"]["serviceAccountName"] = "nobody".into();
    assert_eq!(
        api.post(PODS, stranger).await.failure(),
        "403 Forbidden: pods \"b\" is forbidden: error looking up service account default/nobody: serviceaccount \
         \"nobody\" not found"
    );
}

#[tokio::test(start_paused = true)]
async fn streams_need_a_connector() {
    let api = Api::start().await;
    api.post(PODS, pod("a")).await.ok();
    let answer = api.get(&format!("{PODS}/a/log")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        api.get(&format!("{PODS}/b/log")).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test(start_paused = true)]
async fn containers_for_debugging_come_through_their_subresource_alone() {
    let api = Api::start().await;
    let uri = "/api/v1/namespaces/default/pods";
    api.post(uri, pod("a")).await.ok();
    let uri = format!("{uri}/a");
    let add =
        json!({ "spec": { "ephemeralContainers": [{ "name": "debug", "image": "busybox" }] } });
    let ignored = api
        .patch(&uri, "strategic-merge-patch", add.clone())
        .await
        .ok();
    assert!(ignored["spec"].get("ephemeralContainers").is_none());
    let sub = format!("{uri}/ephemeralcontainers");
    let added = api.patch(&sub, "strategic-merge-patch", add).await.ok();
    assert_eq!(added["spec"]["ephemeralContainers"][0]["name"], "debug");
    let remove = json!({ "spec": { "ephemeralContainers": null } });
    let refused = api.patch(&sub, "merge-patch", remove).await;
    assert!(
        refused
            .failure()
            .contains(r#"existing ephemeral containers "debug" may not be removed"#),
        "{}",
        refused.failure()
    );
}

#[tokio::test(start_paused = true)]
async fn a_pod_is_resized_through_its_subresource_alone() {
    let api = Api::start().await;
    let uri = "/api/v1/namespaces/default/pods";
    let mut small = pod("a");
    small["spec"]["containers"][0]["resources"] = json!({ "requests": { "cpu": "1" } });
    let name = small["spec"]["containers"][0]["name"].clone();
    api.post(uri, small).await.ok();
    let uri = format!("{uri}/a");
    let resources = json!({ "requests": { "cpu": "2" } });
    let more = json!({ "spec": { "containers": [{ "name": name, "resources": resources }] } });
    let refused = api.patch(&uri, "strategic-merge-patch", more.clone()).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let sub = format!("{uri}/resize");
    let resized = api.patch(&sub, "strategic-merge-patch", more).await.ok();
    assert_eq!(
        resized["spec"]["containers"][0]["resources"]["requests"]["cpu"],
        "2"
    );
    assert_eq!(resized["metadata"]["generation"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_replication_controller_is_scaled_by_its_bare_labels() {
    let api = Api::start().await;
    let uri = "/api/v1/namespaces/default/replicationcontrollers";
    let mut controller = deployment();
    controller["spec"]["selector"] = json!({ "app": "a" });
    api.post(uri, controller).await.ok();
    let scale = api.get(&format!("{uri}/a/scale")).await.ok();
    assert_eq!(scale["status"]["selector"], "app=a");
    assert_eq!(scale["spec"]["replicas"], 2);
}
