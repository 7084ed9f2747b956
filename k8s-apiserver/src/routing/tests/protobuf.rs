//! What typed clients send and get: Kubernetes' protobuf, which is to say the same as JSON does.

use k8s_apimachinery::scheme::protobuf;

use super::*;

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const METADATA: &str =
    "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

#[track_caller]
fn read(answer: &Answer) -> Value {
    assert_eq!(answer.headers["content-type"], PROTOBUF);
    let (_, tree) = protobuf::decode(&answer.body).expect("it is protobuf");
    tree
}

async fn send(api: &Api, method: &str, uri: &str, tree: &Value) -> Answer {
    let body = protobuf::encode(tree).unwrap();
    let mut request = Request::new(body::full(body));
    *request.method_mut() = method.parse().unwrap();
    *request.uri_mut() = uri.parse().unwrap();
    for name in ["accept", "content-type"] {
        request
            .headers_mut()
            .insert(name, PROTOBUF.parse().unwrap());
    }
    let response = api.router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
    }
}

#[tokio::test(start_paused = true)]
async fn objects_and_lists_say_the_same_as_in_json() {
    let api = Api::start().await;
    let mut secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"k": "AP8="},
    });
    let secrets = "/api/v1/namespaces/default/secrets";
    let made = send(&api, "POST", secrets, &secret).await;
    assert_eq!(made.status, StatusCode::CREATED);
    assert_eq!(read(&made), api.get(&format!("{secrets}/s")).await.ok());
    secret["data"]["k"] = "AQ==".into();
    let changed = read(&send(&api, "PUT", &format!("{secrets}/s"), &secret).await);
    assert_eq!(changed["data"]["k"], "AQ==");
    for name in ["a", "b", "c"] {
        api.post(PODS, pod(name)).await.ok();
    }
    let event = json!({
        "metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "namespace": "default"},
        "source": {"component": "c"}, "firstTimestamp": "2026-01-02T03:04:05Z", "count": 2,
    });
    api.post("/api/v1/namespaces/default/events", event)
        .await
        .ok();
    for uri in [
        PODS,
        "/api/v1/namespaces/default/pods?limit=2",
        "/api/v1/namespaces/default/pods/a",
        "/api/v1/namespaces/default/pods/a/status",
        "/api/v1/namespaces/default/secrets/s",
        "/api/v1/namespaces",
        "/api/v1/services",
        "/api/v1/events",
        "/apis/events.k8s.io/v1/events",
        "/apis/scheduling.k8s.io/v1/priorityclasses",
        "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
        "/apis/apps/v1",
        "/apis",
        "/apis/apps",
        "/api/v1",
    ] {
        let theirs = read(&api.get_as(uri, PROTOBUF).await);
        assert_eq!(theirs, api.get(uri).await.ok(), "{uri}");
    }
    assert_eq!(
        read(&api.get_as("/api", PROTOBUF).await)["versions"],
        json!(["v1"])
    );
}

#[tokio::test(start_paused = true)]
async fn a_status_is_protobuf_as_well() {
    let api = Api::start().await;
    let missing = api.get_as(&format!("{PODS}/none"), PROTOBUF).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    let status = read(&missing);
    assert_eq!(status["message"], "pods \"none\" not found");
    assert_eq!(status["details"], json!({"name": "none", "kind": "pods"}));
    api.post(MAPS, config_map("a", "1")).await.ok();
    let options = json!({"apiVersion": "v1", "kind": "DeleteOptions"});
    let gone = send(&api, "DELETE", &format!("{MAPS}/a"), &options).await;
    assert_eq!(read(&gone)["status"], "Success");
    // Who accepts nothing that there is reads the refusal in JSON.
    let refused = api.get_as(PODS, "text/html").await;
    assert_eq!(refused.json()["reason"], "NotAcceptable");
    let yaml = api
        .get_as(&format!("{PODS}/none"), "application/yaml")
        .await;
    assert_eq!(yaml.headers["content-type"], "application/yaml");
}

#[tokio::test(start_paused = true)]
async fn metadata_alone_says_the_same_as_in_json() {
    let api = Api::start().await;
    for name in ["a", "b"] {
        api.post(PODS, pod(name)).await.ok();
    }
    let whole = api.get(PODS).await.ok();
    for (version, api_version) in [("v1", "meta.k8s.io/v1"), ("v1beta1", "meta.k8s.io/v1beta1")] {
        let accept = |media_type: &str, kind: &str| {
            format!("{media_type};as={kind};g=meta.k8s.io;v={version}")
        };
        let list = "PartialObjectMetadataList";
        let json = api
            .get_as(PODS, &accept("application/json", list))
            .await
            .ok();
        assert_eq!(
            (&json["kind"], &json["apiVersion"]),
            (&list.into(), &api_version.into())
        );
        assert_eq!(json["metadata"], whole["metadata"]);
        for (item, pod) in json["items"]
            .as_array()
            .unwrap()
            .iter()
            .zip(whole["items"].as_array().unwrap())
        {
            assert_eq!(
                item,
                &json!({
                    "kind": "PartialObjectMetadata", "apiVersion": api_version, "metadata": pod["metadata"],
                })
            );
        }
        let message = read(&api.get_as(PODS, &accept(PROTOBUF, list)).await);
        assert_eq!(
            message["items"][1]["metadata"],
            whole["items"][1]["metadata"]
        );
        let one = accept(PROTOBUF, "PartialObjectMetadata");
        let one = read(&api.get_as(&format!("{PODS}/a"), &one).await);
        assert_eq!(one["metadata"], whole["items"][0]["metadata"]);
    }
}

/// An event's type and object, as client-go's framer and decoder read them.
fn event(frame: &[u8]) -> (String, Value) {
    let (length, event) = frame.split_first_chunk().expect("four bytes");
    assert_eq!(u32::from_be_bytes(*length) as usize, event.len());
    let at = event.windows(4).position(|four| four == protobuf::MAGIC);
    let (head, object) = event.split_at(at.expect("an object"));
    let (_, tree) = protobuf::decode(object).expect("it is protobuf");
    let kind = &head[2..2 + usize::from(head[1])];
    (String::from_utf8(kind.to_vec()).unwrap(), tree)
}

#[tokio::test(start_paused = true)]
async fn a_watch_is_frames_of_events() {
    let api = Api::start().await;
    api.post(MAPS, config_map("a", "1")).await.ok();
    let uri = format!(
        "{MAPS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    );
    let response = api.open("GET", &uri, &[("accept", PROTOBUF)], "").await;
    assert_eq!(
        response.headers()["content-type"],
        "application/vnd.kubernetes.protobuf;stream=watch"
    );
    let mut whole = Frames(BodyStream::new(response.into_body()));
    let mut partial = api.watch_as(&uri, METADATA).await;
    let mut json = api.watch(&uri).await;

    let (uri, change) = (format!("{MAPS}/a"), json!({"data": {"key": "2"}}));
    api.patch(&uri, "merge-patch", change).await.ok();
    api.delete(&uri).await.ok();
    for expected in ["ADDED", "BOOKMARK", "MODIFIED", "DELETED"] {
        let (kind, object) = event(&whole.next_bytes().await);
        let same = json.next().await;
        assert_eq!((kind.as_str(), &same["type"]), (expected, &expected.into()));
        assert_eq!(object, same["object"]);
        let (kind, object) = event(&partial.next_bytes().await);
        assert_eq!(kind, expected);
        assert_eq!(object["kind"], "PartialObjectMetadata");
        assert_eq!(object["metadata"], same["object"]["metadata"]);
        assert!(object.get("data").is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_watch_is_a_frame_too() {
    let api = Api::start().await;
    for _ in 0..3 {
        tokio::time::advance(std::time::Duration::from_secs(200)).await;
        let made = api
            .post(MAPS, json!({"metadata": {"generateName": "a-"}}))
            .await;
        made.ok();
    }
    let mut frames = api
        .watch_as(&format!("{MAPS}?watch=1&resourceVersion=1"), PROTOBUF)
        .await;
    let (kind, status) = event(&frames.next_bytes().await);
    assert_eq!((kind.as_str(), &status["code"]), ("ERROR", &410.into()));
}
