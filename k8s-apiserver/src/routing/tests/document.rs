//! Discovery and OpenAPI.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_tree_of_groups_can_be_walked() {
    let api = Api::start().await;
    assert_eq!(api.get("/api").await.ok()["versions"], json!(["v1"]));
    let core = api.get("/api/v1").await.ok();
    let names: Vec<&str> = core["resources"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|each| each["name"].as_str())
        .collect();
    for expected in [
        "pods",
        "pods/binding",
        "pods/log",
        "namespaces/finalize",
        "services",
    ] {
        assert!(names.contains(&expected), "{expected}");
    }
    let groups = api.get("/apis").await.ok();
    assert!(
        groups["groups"]
            .as_array()
            .unwrap()
            .iter()
            .any(|group| group["name"] == "apps")
    );
    assert_eq!(
        api.get("/apis/apps").await.ok()["preferredVersion"]["groupVersion"],
        "apps/v1"
    );
    let apps = api.get("/apis/apps/v1").await.ok();
    let scale = apps["resources"]
        .as_array()
        .unwrap()
        .iter()
        .find(|each| each["name"] == "deployments/scale");
    assert_eq!(scale.unwrap()["group"], "autoscaling");
    assert_eq!(api.get("/apis/none").await.status, StatusCode::NOT_FOUND);
    assert_eq!(api.get("/apis/apps/v9").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn aggregated_discovery_is_cached_by_its_etag() {
    let api = Api::start().await;
    let accept =
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    let answer = api.get_as("/apis", accept).await;
    assert_eq!(
        answer.headers["content-type"],
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    );
    let etag = answer.headers["etag"].to_str().unwrap().to_owned();
    let list = answer.ok();
    let apps = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["metadata"]["name"] == "apps")
        .unwrap();
    let mut resources = apps["versions"][0]["resources"].as_array().unwrap().iter();
    let deployments = resources
        .find(|resource| resource["resource"] == "deployments")
        .unwrap();
    assert_eq!(deployments["responseKind"]["kind"], "Deployment");
    assert_eq!(deployments["scope"], "Namespaced");
    let headers = [("accept", accept), ("if-none-match", etag.as_str())];
    assert_eq!(
        api.send("GET", "/apis", &headers, "").await.status,
        StatusCode::NOT_MODIFIED
    );
    let core = api.get_as("/api", accept).await.ok();
    assert_eq!(core["items"][0]["metadata"]["name"], "");
}

#[tokio::test(start_paused = true)]
async fn openapi_has_what_kubectl_looks_for() {
    let api = Api::start().await;
    let index = api.get("/openapi/v3").await.ok();
    let url = index["paths"]["api/v1"]["serverRelativeURL"]
        .as_str()
        .unwrap();
    let answer = api.get(url).await;
    assert_eq!(answer.headers["cache-control"], "public, immutable");
    let document = answer.ok();
    let collection = &document["paths"]["/api/v1/namespaces/{namespace}/pods"];
    assert_eq!(
        collection["get"]["x-kubernetes-group-version-kind"]["kind"],
        "Pod"
    );
    let item = &document["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"];
    let parameters = item["patch"]["parameters"].as_array().unwrap();
    assert!(
        parameters
            .iter()
            .any(|each| each["name"] == "fieldValidation")
    );
    let schemas = &document["components"]["schemas"];
    let pod = &schemas["io.k8s.api.core.v1.Pod"];
    assert_eq!(pod["x-kubernetes-group-version-kind"][0]["kind"], "Pod");
    assert_eq!(
        pod["properties"]["spec"]["allOf"][0]["$ref"],
        "#/components/schemas/io.k8s.api.core.v1.PodSpec"
    );
    let containers = &schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
    assert!(containers["description"].is_string());
    assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
    assert_eq!(containers["x-kubernetes-patch-strategy"], "merge");
    assert_eq!(containers["x-kubernetes-list-map-keys"], json!(["name"]));
}

#[tokio::test(start_paused = true)]
async fn swagger_is_one_document_in_json_and_protobuf() {
    let api = Api::start().await;
    let document = api.get("/openapi/v2").await.ok();
    assert_eq!(document["swagger"], "2.0");
    assert!(document["definitions"]["io.k8s.api.apps.v1.Deployment"].is_object());
    for protobuf in [
        "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
        "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
    ] {
        let accept = format!("{protobuf},application/json;q=0.9");
        let answer = api.get_as("/openapi/v2", &accept).await;
        assert_eq!(answer.status, StatusCode::OK);
        // Go's clients refuse to read a type with another character in its name.
        let readable = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
        assert_eq!(answer.headers["content-type"], readable);
        // The first field is the version of the dialect.
        assert!(answer.body.starts_with(b"\x0a\x032.0"));
        let name = b"io.k8s.api.apps.v1.Deployment";
        assert!(answer.body.windows(name.len()).any(|window| window == name));
    }
    assert_eq!(
        api.get_as("/openapi/v2", "text/html").await.status,
        StatusCode::NOT_ACCEPTABLE
    );
    let zipped = api
        .send("GET", "/openapi/v2", &[("accept-encoding", "gzip")], "")
        .await;
    assert_eq!(zipped.headers["content-encoding"], "gzip");
    assert!(zipped.body.len() * 4 < document.to_string().len());
}

#[tokio::test(start_paused = true)]
async fn openapi_documents_are_known_by_their_tags() {
    let api = Api::start().await;
    let mut tags = Vec::new();
    for (uri, accept) in [
        ("/openapi/v2", "application/json"),
        (
            "/openapi/v2",
            "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
        ),
        ("/openapi/v3/apis/apps/v1", "application/json"),
    ] {
        let answer = api.get_as(uri, accept).await;
        let tag = answer.headers["etag"].to_str().unwrap().to_owned();
        let again = api
            .send(
                "GET",
                uri,
                &[("accept", accept), ("if-none-match", &tag)],
                "",
            )
            .await;
        assert_eq!(again.status, StatusCode::NOT_MODIFIED, "{uri}");
        assert!(again.body.is_empty());
        assert_eq!(again.headers["etag"], answer.headers["etag"]);
        tags.push(tag);
    }
    tags.dedup();
    assert_eq!(tags.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_old_hash_leads_to_the_new_document() {
    let api = Api::start().await;
    let moved = api.get("/openapi/v3/apis/apps/v1?hash=OLD").await;
    assert_eq!(moved.status, StatusCode::MOVED_PERMANENTLY);
    let place = moved.headers["location"].to_str().unwrap();
    let answer = api.get(place).await;
    assert_eq!(answer.headers["cache-control"], "public, immutable");
    assert_eq!(answer.ok()["openapi"], "3.0.0");
}

#[tokio::test(start_paused = true)]
async fn both_versions_of_aggregated_discovery_are_served() {
    let api = Api::start().await;
    for version in ["v2", "v2beta1"] {
        let accept = format!(
            "application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList,application/json"
        );
        let answer = api.get_as("/apis", &accept).await;
        assert_eq!(answer.headers["vary"], "Accept");
        let tag = answer.headers["etag"].to_str().unwrap().to_owned();
        assert_eq!(
            answer.ok()["apiVersion"],
            format!("apidiscovery.k8s.io/{version}")
        );
        let known = [("accept", accept.as_str()), ("if-none-match", tag.as_str())];
        assert_eq!(
            api.send("GET", "/apis", &known, "").await.status,
            StatusCode::NOT_MODIFIED
        );
    }
}
