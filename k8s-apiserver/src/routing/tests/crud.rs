//! Create, read, update, delete, and everything that is said when they fail.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_object_goes_the_whole_way() {
    let api = Api::start().await;
    let made = api.post(MAPS, config_map("a", "1")).await.ok();
    assert_eq!(made["kind"], "ConfigMap");
    assert_eq!(made["apiVersion"], "v1");
    assert_eq!(made["metadata"]["namespace"], "default");
    assert!(made["metadata"]["uid"].is_string());
    assert!(made["metadata"]["creationTimestamp"].is_string());
    let uri = format!("{MAPS}/a");
    assert_eq!(api.get(&uri).await.ok(), made);

    let mut changed = made.clone();
    changed["data"]["key"] = "2".into();
    let updated = api.put(&uri, changed.clone()).await.ok();
    assert_eq!(updated["data"]["key"], "2");
    assert_ne!(
        updated["metadata"]["resourceVersion"],
        made["metadata"]["resourceVersion"]
    );
    assert_eq!(
        api.put(&uri, changed).await.failure(),
        "409 Conflict: Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply \
         your changes to the latest version and try again"
    );

    let gone = api.delete(&uri).await.ok();
    assert_eq!(gone["status"], "Success");
    assert_eq!(gone["details"]["kind"], "configmaps");
    assert_eq!(gone["details"]["uid"], made["metadata"]["uid"]);
    assert_eq!(
        api.get(&uri).await.failure(),
        "404 NotFound: configmaps \"a\" not found"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_said_in_kubernetes_words() {
    let api = Api::start().await;
    api.post(MAPS, config_map("a", "1")).await.ok();
    let kind =
        |kind: &str| json!({ "kind": kind, "apiVersion": "v1", "metadata": { "name": "b" } });
    let cases = [
        (
            api.post(MAPS, config_map("a", "1")).await,
            "409 AlreadyExists: configmaps \"a\" already exists",
        ),
        (
            api.post(
                "/api/v1/namespaces/nowhere/configmaps",
                config_map("a", "1"),
            )
            .await,
            "404 NotFound: namespaces \"nowhere\" not found",
        ),
        (
            api.post(MAPS, kind("Pod")).await,
            "400 BadRequest: Pod in version \"v1\" cannot be handled as a ConfigMap: no kind \"Pod\" is served here",
        ),
        (
            api.post(
                MAPS,
                json!({ "apiVersion": "v2", "metadata": { "name": "b" } }),
            )
            .await,
            "400 BadRequest: the API version in the data (v2) does not match the expected API version (v1)",
        ),
        (
            api.put(&format!("{MAPS}/a"), config_map("b", "1")).await,
            "400 BadRequest: the name of the object (b) does not match the name on the URL (a)",
        ),
        (
            api.post(
                MAPS,
                json!({ "metadata": { "name": "b", "namespace": "kube-system" } }),
            )
            .await,
            "400 BadRequest: the namespace of the provided object does not match the namespace sent on the request \
             (\"kube-system\" != \"default\")",
        ),
        (
            api.put(&format!("{MAPS}/none"), config_map("none", "1"))
                .await,
            "404 NotFound: configmaps \"none\" not found",
        ),
        (
            api.get("/api/v1/namespaces/default/gadgets").await,
            "404 NotFound: the server could not find the requested resource",
        ),
        (
            api.put(MAPS, config_map("a", "1")).await,
            "405 MethodNotAllowed: the server does not allow this method on the requested resource",
        ),
        (
            api.post("/api/v1/pods", pod("a")).await,
            "405 MethodNotAllowed: the server does not allow this method on the requested resource",
        ),
        (
            api.send("POST", MAPS, &[("content-type", "text/plain")], "k8s")
                .await,
            "415 UnsupportedMediaType: the body of the request was in an unknown format - accepted media types \
             include: application/json, application/yaml, application/vnd.kubernetes.protobuf",
        ),
        (
            api.get_as(MAPS, "text/html").await,
            "406 NotAcceptable: only the following media types are accepted: application/json, application/yaml, \
             application/vnd.kubernetes.protobuf",
        ),
    ];
    for (answer, expected) in cases {
        assert_eq!(answer.failure(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn invalid_objects_name_each_field_at_fault() {
    let api = Api::start().await;
    let answer = api
        .post(
            PODS,
            json!({ "metadata": { "name": "a" }, "spec": { "containers": [] } }),
        )
        .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let status = answer.json();
    assert_eq!(status["reason"], "Invalid");
    assert_eq!(status["details"]["kind"], "Pod");
    assert_eq!(
        status["details"]["causes"][0]["reason"],
        "FieldValueRequired"
    );
    assert_eq!(status["details"]["causes"][0]["field"], "spec.containers");
}

#[tokio::test(start_paused = true)]
async fn bodies_that_are_no_objects_are_refused() {
    let api = Api::start().await;
    for body in ["", "{\"kind\":", "[]", "7"] {
        let answer = api.send("POST", MAPS, &[], body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(
            answer.failure().contains("must be of type ConfigMap"),
            "{}",
            answer.failure()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn names_are_generated() {
    let api = Api::start().await;
    let map = json!({ "metadata": { "generateName": "web-" } });
    let first = api.post(MAPS, map.clone()).await.ok();
    let second = api.post(MAPS, map).await.ok();
    let name = first["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with("web-") && name.len() == 9, "{name}");
    assert_ne!(first["metadata"]["name"], second["metadata"]["name"]);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_changes_nothing() {
    let api = Api::start().await;
    let uri = format!("{MAPS}/a");
    let made = api
        .post(&format!("{MAPS}?dryRun=All"), config_map("a", "1"))
        .await
        .ok();
    assert_eq!(made["metadata"]["name"], "a");
    assert_eq!(api.get(&uri).await.status, StatusCode::NOT_FOUND);
    let made = api.post(MAPS, config_map("a", "1")).await.ok();
    api.put(&format!("{uri}?dryRun=All"), config_map("a", "2"))
        .await
        .ok();
    api.delete(&format!("{uri}?dryRun=All")).await.ok();
    assert_eq!(api.get(&uri).await.ok(), made);
    assert_eq!(
        api.post(&format!("{MAPS}?dryRun=Some"), config_map("b", "1"))
            .await
            .status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test(start_paused = true)]
async fn an_update_that_changes_nothing_is_not_written() {
    let api = Api::start().await;
    let made = api.post(MAPS, config_map("a", "1")).await.ok();
    let same = api.put(&format!("{MAPS}/a"), made.clone()).await.ok();
    assert_eq!(same, made);
}

#[tokio::test(start_paused = true)]
async fn the_server_keeps_its_own_metadata() {
    let api = Api::start().await;
    let made = api.post(MAPS, config_map("a", "1")).await.ok();
    let updated = api
        .put(&format!("{MAPS}/a"), config_map("a", "2"))
        .await
        .ok();
    for field in ["uid", "creationTimestamp"] {
        assert_eq!(updated["metadata"][field], made["metadata"][field]);
    }
    let mut other = made.clone();
    other["metadata"]["uid"] = "0".into();
    other["metadata"]["resourceVersion"] = updated["metadata"]["resourceVersion"].clone();
    let refused = api.put(&format!("{MAPS}/a"), other).await;
    assert!(
        refused.failure().contains("Precondition failed: UID"),
        "{}",
        refused.failure()
    );
}

#[tokio::test(start_paused = true)]
async fn writers_that_race_all_succeed_without_a_version() {
    let api = Api::start().await;
    api.post(MAPS, config_map("a", "0")).await.ok();
    let uri = format!("{MAPS}/a");
    let patches = (0..20).map(|index| {
        let patch = json!({ "data": { (format!("k{index}")): "v" } });
        api.patch(&uri, "merge-patch", patch)
    });
    for answer in futures::future::join_all(patches).await {
        answer.ok();
    }
    assert_eq!(
        api.get(&uri).await.ok()["data"].as_object().unwrap().len(),
        21
    );
}

#[tokio::test(start_paused = true)]
async fn yaml_goes_in_and_out() {
    let api = Api::start().await;
    let yaml = "metadata:\n  name: a\ndata:\n  key: \"1\"\n";
    let made = api
        .send("POST", MAPS, &[("content-type", "application/yaml")], yaml)
        .await
        .ok();
    assert_eq!(made["data"]["key"], "1");
    let answer = api.get_as(&format!("{MAPS}/a"), "application/yaml").await;
    assert_eq!(answer.headers["content-type"], "application/yaml");
    assert!(String::from_utf8_lossy(&answer.body).contains("kind: ConfigMap"));
}

#[tokio::test(start_paused = true)]
async fn tables_and_partial_objects_are_made_on_demand() {
    let api = Api::start().await;
    api.post(PODS, pod("a")).await.ok();
    let table = api
        .get_as(
            PODS,
            "application/json;as=Table;g=meta.k8s.io;v=v1,application/json",
        )
        .await
        .ok();
    assert_eq!(table["kind"], "Table");
    assert_eq!(table["columnDefinitions"][0]["name"], "Name");
    assert_eq!(table["rows"][0]["cells"][0], "a");
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    let partial = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    let partial = api.get_as(&format!("{PODS}/a"), partial).await.ok();
    assert_eq!(partial["kind"], "PartialObjectMetadata");
    assert_eq!(partial["metadata"]["name"], "a");
    assert!(partial.get("spec").is_none());
}

#[tokio::test(start_paused = true)]
async fn events_are_one_object_in_two_groups() {
    let api = Api::start().await;
    let event = json!({
        "metadata": { "name": "e", "namespace": "default" },
        "involvedObject": { "kind": "Pod", "namespace": "default", "name": "web" },
        "message": "hello", "reason": "Started", "type": "Normal",
        "reportingComponent": "kubelet", "reportingInstance": "n",
    });
    api.post("/api/v1/namespaces/default/events", event)
        .await
        .ok();
    let uri = "/apis/events.k8s.io/v1/namespaces/default/events";
    let seen = api.get(&format!("{uri}/e")).await.ok();
    assert_eq!(seen["apiVersion"], "events.k8s.io/v1");
    assert_eq!(seen["note"], "hello");
    assert_eq!(seen["regarding"]["name"], "web");
    let recorded = json!({
        "metadata": { "name": "r" },
        "regarding": { "kind": "Pod", "namespace": "default", "name": "other" },
        "eventTime": "2026-01-01T00:00:00.000000Z", "action": "Binding", "note": "again",
        "reason": "Scheduled", "type": "Normal",
        "reportingController": "scheduler", "reportingInstance": "s",
    });
    api.post(uri, recorded).await.ok();
    let series =
        json!({ "series": { "count": 2, "lastObservedTime": "2026-01-01T00:00:09.000000Z" } });
    let patched = api
        .patch(&format!("{uri}/r"), "strategic-merge-patch", series)
        .await
        .ok();
    assert_eq!(patched["series"]["count"], 2);
    assert_eq!(patched["note"], "again");
    let listed = api
        .get(&format!("{uri}?fieldSelector=regarding.name=web"))
        .await
        .ok();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let listed = api
        .get("/api/v1/events?fieldSelector=involvedObject.name=none")
        .await
        .ok();
    assert_eq!(listed["items"].as_array().unwrap().len(), 0);
}
