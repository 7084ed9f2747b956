//! Evictions: what goes, what stays, and who pays.

use super::*;

const PODS: &str = "/api/v1/namespaces/default/pods";
const BUDGETS: &str = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";

/// A pod that runs on a node and is ready.
async fn run(api: &Api, name: &str) {
    let mut pod = pod(name);
    pod["metadata"]["labels"] = json!({ "app": "web" });
    pod["spec"]["nodeName"] = "n1".into();
    api.post(PODS, pod).await.ok();
    let status = json!({ "status": {
        "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }],
    }});
    let uri = format!("{PODS}/{name}/status");
    api.patch(&uri, "merge-patch", status).await.ok();
}

/// A budget over these pods that allows so many disruptions.
async fn budget(api: &Api, name: &str, allowed: i64) {
    let budget = json!({
        "metadata": { "name": name },
        "spec": { "minAvailable": 1, "selector": { "matchLabels": { "app": "web" } } },
    });
    api.post(BUDGETS, budget).await.ok();
    let status = json!({ "status": {
        "observedGeneration": 1, "currentHealthy": 2, "desiredHealthy": 2 - allowed,
        "disruptionsAllowed": allowed, "expectedPods": 2,
    }});
    let uri = format!("{BUDGETS}/{name}/status");
    api.patch(&uri, "merge-patch", status).await.ok();
}

fn eviction(name: &str, options: Value) -> Value {
    json!({
        "apiVersion": "policy/v1", "kind": "Eviction",
        "metadata": { "name": name }, "deleteOptions": options,
    })
}

async fn evict(api: &Api, name: &str, options: Value) -> Answer {
    let uri = format!("{PODS}/{name}/eviction");
    api.post(&uri, eviction(name, options)).await
}

#[tokio::test(start_paused = true)]
async fn an_eviction_deletes_the_pod_and_its_budget_pays() {
    let api = Api::start().await;
    run(&api, "a").await;
    budget(&api, "b", 1).await;
    let evicted = evict(&api, "a", json!({ "gracePeriodSeconds": 7 })).await;
    assert_eq!(evicted.status, StatusCode::CREATED);
    assert_eq!(evicted.json()["status"], "Success");
    let pod = api.get(&format!("{PODS}/a")).await.ok();
    assert_eq!(pod["metadata"]["deletionGracePeriodSeconds"], 7);
    let conditions = pod["status"]["conditions"].as_array().unwrap();
    assert_eq!(conditions[1]["type"], "DisruptionTarget");
    assert_eq!(conditions[1]["reason"], "EvictionByEvictionAPI");
    let budget = api.get(&format!("{BUDGETS}/b")).await.ok();
    assert_eq!(budget["status"]["disruptionsAllowed"], 0);
    assert!(budget["status"]["disruptedPods"]["a"].is_string());
    assert_eq!(budget["status"]["conditions"][0]["status"], "False");
    // Both changed in one transaction.
    assert_eq!(
        budget["metadata"]["resourceVersion"],
        pod["metadata"]["resourceVersion"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_exhausted_budget_keeps_the_pod() {
    let api = Api::start().await;
    run(&api, "a").await;
    budget(&api, "b", 0).await;
    let refused = evict(&api, "a", json!({})).await;
    assert_eq!(
        refused.failure(),
        "429 TooManyRequests: Cannot evict pod as it would violate the pod's disruption budget."
    );
    assert_eq!(
        refused.json()["details"],
        json!({ "causes": [{
            "reason": "DisruptionBudget",
            "message": "The disruption budget b needs 2 healthy pods and has 2 currently",
        }]})
    );
    // Clients would retry by themselves otherwise, and drain says what it waits for.
    assert!(!refused.headers.contains_key("retry-after"));
    let pod = api.get(&format!("{PODS}/a")).await.ok();
    assert!(pod["metadata"].get("deletionTimestamp").is_none());

    let more = json!({ "spec": { "minAvailable": 0 } });
    api.patch(&format!("{BUDGETS}/b"), "merge-patch", more)
        .await
        .ok();
    let refused = evict(&api, "a", json!({})).await;
    assert_eq!(refused.headers["retry-after"], "10");
    assert_eq!(
        refused.json()["details"]["causes"][0]["message"],
        "The disruption budget b is still being processed by the server."
    );
}

#[tokio::test(start_paused = true)]
async fn two_budgets_over_a_pod_are_a_mistake() {
    let api = Api::start().await;
    run(&api, "a").await;
    budget(&api, "b", 1).await;
    budget(&api, "c", 1).await;
    assert_eq!(
        evict(&api, "a", json!({})).await.failure(),
        "500 -: This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
    );
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_decides_and_changes_nothing() {
    let api = Api::start().await;
    run(&api, "a").await;
    budget(&api, "b", 1).await;
    let uri = format!("{PODS}/a/eviction?dryRun=All");
    let before = api.get(&format!("{BUDGETS}/b")).await.ok();
    assert!(
        evict(&api, "a", json!({ "dryRun": ["All"] }))
            .await
            .status
            .is_success()
    );
    api.post(&uri, eviction("a", json!({}))).await.ok();
    assert_eq!(api.get(&format!("{BUDGETS}/b")).await.ok(), before);
    let pod = api.get(&format!("{PODS}/a")).await.ok();
    assert!(pod["metadata"].get("deletionTimestamp").is_none());
    let none = json!({ "status": { "disruptionsAllowed": 0 } });
    let budget = format!("{BUDGETS}/b/status");
    api.patch(&budget, "merge-patch", none).await.ok();
    let refused = api.post(&uri, eviction("a", json!({}))).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(start_paused = true)]
async fn the_pod_must_be_the_one_that_is_meant() {
    let api = Api::start().await;
    run(&api, "a").await;
    let other = evict(&api, "a", json!({ "preconditions": { "uid": "u" } })).await;
    let text = other.failure();
    assert!(
        text.starts_with("409 Conflict: Operation cannot be fulfilled on pods \"a\": the UID in the precondition (u)"),
        "{text}"
    );
    let old = evict(
        &api,
        "a",
        json!({ "preconditions": { "resourceVersion": "1" } }),
    )
    .await;
    assert!(
        old.failure()
            .contains("The object might have been modified")
    );
    let uri = format!("{PODS}/a/eviction");
    assert_eq!(
        api.post(&uri, eviction("b", json!({}))).await.failure(),
        "400 BadRequest: name in URL does not match name in Eviction object"
    );
    assert_eq!(
        evict(&api, "nobody", json!({})).await.failure(),
        "404 NotFound: pods \"nobody\" not found"
    );
    let invalid = evict(&api, "a", json!({ "propagationPolicy": "Later" })).await;
    assert_eq!(invalid.status, StatusCode::UNPROCESSABLE_ENTITY);
    let mut newer = eviction("a", json!({ "dryRun": ["All"] }));
    newer["apiVersion"] = "policy/v2".into();
    assert_eq!(
        api.post(&uri, newer.clone()).await.status,
        StatusCode::BAD_REQUEST
    );
    newer["apiVersion"] = "policy/v1beta1".into();
    assert_eq!(api.post(&uri, newer).await.status, StatusCode::CREATED);
    let uid = api.get(&format!("{PODS}/a")).await.ok()["metadata"]["uid"].clone();
    let meant = json!({ "preconditions": { "uid": uid } });
    assert_eq!(evict(&api, "a", meant).await.status, StatusCode::CREATED);
}

#[tokio::test(start_paused = true)]
async fn a_pod_without_a_node_is_gone_at_once() {
    let api = Api::start().await;
    let mut waiting = pod("a");
    waiting["metadata"]["labels"] = json!({ "app": "web" });
    api.post(PODS, waiting).await.ok();
    budget(&api, "b", 0).await;
    assert_eq!(
        evict(&api, "a", json!({})).await.status,
        StatusCode::CREATED
    );
    assert_eq!(
        api.get(&format!("{PODS}/a")).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn of_many_that_race_for_the_last_disruption_one_wins() {
    let api = Api::start().await;
    let names: Vec<String> = (0..8).map(|n| format!("p{n}")).collect();
    for name in &names {
        run(&api, name).await;
    }
    budget(&api, "b", 1).await;
    let all = names.iter().map(|name| evict(&api, name, json!({})));
    let answers = futures::future::join_all(all).await;
    let count = |status| answers.iter().filter(|each| each.status == status).count();
    assert_eq!(count(StatusCode::CREATED), 1);
    assert_eq!(count(StatusCode::TOO_MANY_REQUESTS), 7);
    let going = api.get(PODS).await.ok();
    let going = going["items"].as_array().unwrap().iter();
    let going = going.filter(|pod| pod["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(going.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn discovery_names_the_kind_that_is_posted() {
    let api = Api::start().await;
    let list = api.get("/api/v1").await.ok();
    let mut all = list["resources"].as_array().unwrap().iter();
    let found = all.find(|each| each["name"] == "pods/eviction").unwrap();
    assert_eq!(
        (
            &found["group"],
            &found["version"],
            &found["kind"],
            &found["verbs"]
        ),
        (
            &json!("policy"),
            &json!("v1"),
            &json!("Eviction"),
            &json!(["create"])
        )
    );
}
