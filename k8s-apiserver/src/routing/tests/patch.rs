//! The four languages of patches.

use super::*;

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

fn deployment(name: &str, image: &str) -> Value {
    json!({
        "metadata": { "name": name },
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": "c", "image": image }] },
            },
        },
    })
}

#[tokio::test(start_paused = true)]
async fn each_language_changes_the_object() {
    let api = Api::start().await;
    api.post(DEPLOYMENTS, deployment("a", "i:1")).await.ok();
    let uri = format!("{DEPLOYMENTS}/a");
    let image = "/spec/template/spec/containers/0/image";
    let json_patch = json!([{ "op": "replace", "path": image, "value": "i:2" }]);
    let containers = json!([{ "name": "c", "image": "i:3" }, { "name": "d", "image": "j" }]);
    let strategic = json!({ "spec": { "template": { "spec": { "containers": [{ "name": "d", "image": "k" }] } } } });
    let merge = json!({ "spec": { "template": { "spec": { "containers": containers } } } });
    for (language, patch, expected) in [
        ("json-patch", json_patch, json!(["i:2"])),
        ("merge-patch", merge, json!(["i:3", "j"])),
        ("strategic-merge-patch", strategic, json!(["k", "i:3"])),
    ] {
        let patched = api.patch(&uri, language, patch).await.ok();
        let containers = patched["spec"]["template"]["spec"]["containers"]
            .as_array()
            .unwrap()
            .clone();
        let mut images: Vec<Value> = containers.iter().map(|c| c["image"].clone()).collect();
        let mut expected = expected.as_array().unwrap().clone();
        images.sort_by_key(Value::to_string);
        expected.sort_by_key(Value::to_string);
        assert_eq!(images, expected, "{language}");
    }
    assert_eq!(api.get(&uri).await.ok()["metadata"]["generation"], 4);
}

#[tokio::test(start_paused = true)]
async fn patches_that_make_no_sense_are_refused() {
    let api = Api::start().await;
    api.post(MAPS, config_map("a", "1")).await.ok();
    let uri = format!("{MAPS}/a");
    let missing = json!([{ "op": "remove", "path": "/data/none" }]);
    assert_eq!(
        api.patch(&uri, "json-patch", missing).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(
        api.patch(&uri, "json-patch", json!({ "op": "x" }))
            .await
            .status,
        StatusCode::BAD_REQUEST
    );
    let unknown = api
        .send("PATCH", &uri, &[("content-type", "application/json")], "{}")
        .await;
    assert_eq!(unknown.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let none = api
        .patch(&format!("{MAPS}/b"), "merge-patch", json!({}))
        .await;
    assert_eq!(none.failure(), "404 NotFound: configmaps \"b\" not found");
    let stale = json!({ "metadata": { "resourceVersion": "1" } });
    assert_eq!(
        api.patch(&uri, "merge-patch", stale).await.status,
        StatusCode::CONFLICT
    );
}

#[tokio::test(start_paused = true)]
async fn apply_creates_then_merges_and_conflicts_by_field() {
    let api = Api::start().await;
    let uri = format!("{MAPS}/a");
    let config = |value: &str| json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" }, "data": { "key": value } });
    let made = api
        .patch(&format!("{uri}?fieldManager=one"), "apply", config("1"))
        .await;
    assert_eq!(made.status, StatusCode::CREATED);
    let managers = made.json()["metadata"]["managedFields"].clone();
    assert_eq!(managers[0]["manager"], "one");
    assert_eq!(managers[0]["operation"], "Apply");
    let again = api
        .patch(&format!("{uri}?fieldManager=one"), "apply", config("1"))
        .await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(again.ok(), made.json());
    let other = api
        .patch(&format!("{uri}?fieldManager=two"), "apply", config("2"))
        .await;
    assert_eq!(
        other.failure(),
        "409 Conflict: Apply failed with 1 conflict: conflict with \"one\": .data.key"
    );
    let forced = api
        .patch(
            &format!("{uri}?fieldManager=two&force=true"),
            "apply",
            config("2"),
        )
        .await;
    assert_eq!(forced.ok()["data"]["key"], "2");
    let anonymous = api.patch(&uri, "apply", config("2")).await;
    assert_eq!(anonymous.status, StatusCode::BAD_REQUEST);
}

#[tokio::test(start_paused = true)]
async fn unknown_fields_are_refused_reported_or_ignored() {
    let api = Api::start().await;
    let map = |name: &str| json!({ "metadata": { "name": name }, "colour": "red" });
    let strict = api
        .post(&format!("{MAPS}?fieldValidation=Strict"), map("a"))
        .await;
    assert_eq!(
        strict.failure(),
        "400 BadRequest: ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown \
         field \"colour\""
    );
    let warned = api.post(MAPS, map("b")).await;
    assert_eq!(
        warned.headers["warning"],
        "299 - \"unknown field \\\"colour\\\"\""
    );
    assert!(warned.ok().get("colour").is_none());
    let ignored = api
        .post(&format!("{MAPS}?fieldValidation=Ignore"), map("c"))
        .await;
    assert!(ignored.headers.get("warning").is_none());
    assert!(ignored.ok().get("colour").is_none());
}

#[tokio::test(start_paused = true)]
async fn owners_of_fields_are_noted() {
    let api = Api::start().await;
    let agent = [("user-agent", "kubectl/v1.37.0 (linux/amd64)")];
    let made = api
        .send("POST", MAPS, &agent, &config_map("a", "1").to_string())
        .await
        .ok();
    let manager = &made["metadata"]["managedFields"][0];
    assert_eq!(manager["manager"], "kubectl");
    assert_eq!(manager["operation"], "Update");
    assert_eq!(manager["fieldsV1"]["f:data"]["f:key"], json!({}));
}
