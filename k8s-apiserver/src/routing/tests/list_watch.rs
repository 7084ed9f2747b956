//! Collections: pages, selectors, revisions, and the changes that follow.

use super::*;

async fn names(api: &Api, uri: &str) -> Vec<String> {
    let list = api.get(uri).await.ok();
    let items = list["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn lists_select_and_carry_their_revision() {
    let api = Api::start().await;
    for name in ["a", "b", "c"] {
        api.post(PODS, pod(name)).await.ok();
    }
    let list = api.get(PODS).await.ok();
    assert_eq!(list["kind"], "PodList");
    assert_eq!(list["apiVersion"], "v1");
    assert!(list["items"][0].get("kind").is_none());
    assert_eq!(
        list["metadata"]["resourceVersion"],
        list["items"][2]["metadata"]["resourceVersion"]
    );
    for (query, expected) in [
        ("labelSelector=app%20in%20(a,c)", &["a", "c"][..]),
        ("labelSelector=app=b", &["b"]),
        ("labelSelector=!app", &[]),
        ("fieldSelector=metadata.name=c", &["c"]),
        ("fieldSelector=metadata.name!=c", &["a", "b"]),
        ("fieldSelector=status.phase=Pending,metadata.name=a", &["a"]),
        ("fieldSelector=spec.nodeName=n1", &[]),
        ("resourceVersion=0", &["a", "b", "c"]),
    ] {
        assert_eq!(
            names(&api, &format!("{PODS}?{query}")).await,
            expected,
            "{query}"
        );
        assert_eq!(
            names(&api, &format!("/api/v1/pods?{query}")).await,
            expected,
            "{query}"
        );
    }
    let refused = api
        .get(&format!("{PODS}?fieldSelector=spec.color=red"))
        .await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(
        refused
            .failure()
            .contains("field label not supported: spec.color")
    );
    assert_eq!(
        api.get(&format!("{PODS}?labelSelector=a%20b")).await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test(start_paused = true)]
async fn pages_are_of_one_revision() {
    let api = Api::start().await;
    for name in ["a", "b", "c", "d", "e"] {
        api.post(MAPS, config_map(name, "1")).await.ok();
    }
    let first = api.get(&format!("{MAPS}?limit=2")).await.ok();
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    assert_eq!(first["metadata"]["remainingItemCount"], 3);
    // What changes in between is not in the pages that follow.
    api.post(MAPS, config_map("bb", "1")).await.ok();
    api.delete(&format!("{MAPS}/e")).await.ok();
    let token = first["metadata"]["continue"].as_str().unwrap();
    let second = api
        .get(&format!("{MAPS}?limit=2&continue={token}"))
        .await
        .ok();
    assert_eq!(
        second["metadata"]["resourceVersion"],
        first["metadata"]["resourceVersion"]
    );
    assert_eq!(second["items"][0]["metadata"]["name"], "c");
    let token = second["metadata"]["continue"].as_str().unwrap();
    let third = api
        .get(&format!("{MAPS}?limit=2&continue={token}"))
        .await
        .ok();
    assert_eq!(third["items"][0]["metadata"]["name"], "e");
    assert!(third["metadata"].get("continue").is_none());
    assert_eq!(
        api.get(&format!("{MAPS}?continue=nonsense"))
            .await
            .failure(),
        "400 BadRequest: invalid continue token: continue key is not valid"
    );
}

#[tokio::test(start_paused = true)]
async fn what_remains_is_counted_at_the_lists_revision() {
    let api = Api::start().await;
    for name in ["a", "b", "c", "d", "e"] {
        api.post(MAPS, config_map(name, "1")).await.ok();
    }
    let first = api.get(&format!("{MAPS}?limit=1")).await.ok();
    assert_eq!(first["metadata"]["remainingItemCount"], 4);
    for name in ["f", "g"] {
        api.post(MAPS, config_map(name, "1")).await.ok();
    }
    let token = first["metadata"]["continue"].as_str().unwrap();
    let second = format!("{MAPS}?limit=1&continue={token}");
    assert_eq!(
        api.get(&second).await.ok()["metadata"]["remainingItemCount"],
        3
    );
    let selected = api
        .get(&format!("{MAPS}?limit=1&labelSelector=!x"))
        .await
        .ok();
    assert!(selected["metadata"].get("continue").is_some());
    assert!(selected["metadata"].get("remainingItemCount").is_none());
}

#[tokio::test(start_paused = true)]
async fn whoever_takes_any_state_takes_it_whole() {
    let api = Api::start().await;
    for name in ["a", "b"] {
        api.post(MAPS, config_map(name, "1")).await.ok();
    }
    let list = api
        .get(&format!("{MAPS}?limit=1&resourceVersion=0"))
        .await
        .ok();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    assert!(list["metadata"].get("continue").is_none());
}

/// Lets enough time and changes pass for everything before to be forgotten.
async fn forget(api: &Api) {
    for round in 0..3 {
        tokio::time::advance(std::time::Duration::from_secs(200)).await;
        api.post(MAPS, config_map(&format!("z{round}"), "1"))
            .await
            .ok();
    }
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_a_forgotten_list_can_be_had_as_it_is_now() {
    let api = Api::start().await;
    for name in ["a", "b", "c"] {
        api.post(MAPS, config_map(name, "1")).await.ok();
    }
    let first = api.get(&format!("{MAPS}?limit=2")).await.ok();
    let version = first["metadata"]["resourceVersion"].as_str().unwrap();
    let token = first["metadata"]["continue"].as_str().unwrap();
    forget(&api).await;
    let refused = api.get(&format!("{MAPS}?limit=2&continue={token}")).await;
    let status = refused.json();
    assert_eq!(status["code"], 410);
    assert_eq!(status["reason"], "Expired");
    let message = status["message"].as_str().unwrap();
    assert!(
        message.contains("use the continue token in this response"),
        "{message}"
    );
    let token = status["metadata"]["continue"].as_str().unwrap();
    let rest = api
        .get(&format!("{MAPS}?limit=3&continue={token}"))
        .await
        .ok();
    let names: Vec<&Value> = rest["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["metadata"]["name"])
        .collect();
    assert_eq!(names, ["c", "z0", "z1"]);
    // What follows is of one state again.
    assert_eq!(rest["metadata"]["remainingItemCount"], 1);
    assert_ne!(rest["metadata"]["resourceVersion"], version);

    let exact = format!("{MAPS}?resourceVersion={version}&resourceVersionMatch=Exact");
    assert_eq!(
        api.get(&exact).await.failure(),
        "410 Expired: The resourceVersion for the provided list is too old."
    );
    let mut frames = api
        .watch(&format!("{MAPS}?watch=1&resourceVersion={version}"))
        .await;
    let error = frames.next().await;
    assert_eq!(error["type"], "ERROR");
    assert_eq!(error["object"]["code"], 410);
    let message = error["object"]["message"].as_str().unwrap();
    assert!(
        message.starts_with(&format!("too old resource version: {version} (")),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn options_that_contradict_each_other_are_invalid() {
    let api = Api::start().await;
    for (query, expected) in [
        (
            "resourceVersionMatch=Exact",
            "422 Invalid: ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: \
             resourceVersionMatch is forbidden unless resourceVersion is provided",
        ),
        (
            "watch=1&sendInitialEvents=true",
            "422 Invalid: ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: \
             sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ),
        (
            "resourceVersion=5&continue=x",
            "400 BadRequest: specifying resource version is not allowed when using continue",
        ),
        (
            "limit=many",
            "400 BadRequest: strconv.ParseInt: parsing \"many\": invalid syntax",
        ),
        (
            "watch=1&timeoutSeconds=soon",
            "400 BadRequest: strconv.ParseInt: parsing \"soon\": invalid syntax",
        ),
    ] {
        let answer = api.get(&format!("{MAPS}?{query}")).await;
        assert_eq!(answer.failure(), expected, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn large_answers_are_compressed_for_those_who_take_it() {
    use std::io::Read;

    let api = Api::start().await;
    for name in ["a", "b", "c", "d"] {
        api.post(MAPS, config_map(name, &format!("{name}=").repeat(40_000)))
            .await
            .ok();
    }
    let gzip = [("accept-encoding", "deflate, gzip;q=0.9")];
    let plain = api.get(MAPS).await;
    assert!(!plain.headers.contains_key("content-encoding"));
    let packed = api.send("GET", MAPS, &gzip, "").await;
    assert_eq!(packed.headers["content-encoding"], "gzip");
    assert_eq!(packed.headers["vary"], "Accept-Encoding");
    assert!(packed.body.len() < plain.body.len() / 10);
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(&*packed.body)
        .read_to_end(&mut text)
        .unwrap();
    assert_eq!(text, plain.body);
    let small = api.send("GET", &format!("{MAPS}/a"), &gzip, "").await;
    assert!(!small.headers.contains_key("content-encoding"));
}

#[tokio::test(start_paused = true)]
async fn old_states_can_be_listed_and_future_ones_time_out() {
    let api = Api::start().await;
    let made = api.post(MAPS, config_map("a", "1")).await.ok();
    api.post(MAPS, config_map("b", "1")).await.ok();
    let version: u64 = made["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let exact = format!("{MAPS}?resourceVersion={version}&resourceVersionMatch=Exact");
    assert_eq!(names(&api, &exact).await, ["a"]);
    let newer = format!("{MAPS}?resourceVersion={version}&resourceVersionMatch=NotOlderThan");
    assert_eq!(names(&api, &newer).await, ["a", "b"]);
    let future = format!("{MAPS}?resourceVersion={}", version + 100);
    let refused = api.get(&future).await;
    assert_eq!(refused.status, StatusCode::GATEWAY_TIMEOUT);
    assert!(
        refused.failure().contains("Too large resource version"),
        "{}",
        refused.failure()
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_goes_on_where_a_list_ended() {
    let api = Api::start().await;
    api.post(MAPS, config_map("a", "1")).await.ok();
    let list = api.get(MAPS).await.ok();
    let version = list["metadata"]["resourceVersion"].as_str().unwrap();
    let mut frames = api
        .watch(&format!("{MAPS}?watch=1&resourceVersion={version}"))
        .await;
    assert!(frames.is_quiet());
    api.post(MAPS, config_map("b", "1")).await.ok();
    api.patch(
        &format!("{MAPS}/a"),
        "merge-patch",
        json!({ "data": { "key": "2" } }),
    )
    .await
    .ok();
    api.delete(&format!("{MAPS}/b")).await.ok();
    assert_eq!(frames.next_name().await, "ADDED b");
    assert_eq!(frames.next_name().await, "MODIFIED a");
    let deleted = frames.next().await;
    assert_eq!(deleted["type"], "DELETED");
    assert_eq!(deleted["object"]["kind"], "ConfigMap");
    // The revision is that of the deletion, so that a watch can go on from it.
    let now = api.get(MAPS).await.ok()["metadata"]["resourceVersion"].clone();
    assert_eq!(deleted["object"]["metadata"]["resourceVersion"], now);
    assert!(frames.is_quiet());
}

#[tokio::test(start_paused = true)]
async fn objects_enter_and_leave_a_selection() {
    let api = Api::start().await;
    let mut frames = api
        .watch(&format!("{PODS}?watch=1&fieldSelector=spec.nodeName=n1"))
        .await;
    api.post(PODS, pod("a")).await.ok();
    assert!(frames.is_quiet());
    let binding =
        json!({ "metadata": { "name": "a" }, "target": { "kind": "Node", "name": "n1" } });
    api.post(&format!("{PODS}/a/binding"), binding).await.ok();
    assert_eq!(frames.next_name().await, "ADDED a");
    api.delete(&format!("{PODS}/a?gracePeriodSeconds=0"))
        .await
        .ok();
    assert_eq!(frames.next_name().await, "DELETED a");

    let mut frames = api.watch(&format!("{MAPS}?watch=1&labelSelector=on")).await;
    api.post(MAPS, config_map("m", "1")).await.ok();
    let label = |value: Value| json!({ "metadata": { "labels": { "on": value } } });
    let uri = format!("{MAPS}/m");
    api.patch(&uri, "merge-patch", label("x".into())).await.ok();
    api.patch(&uri, "merge-patch", label("y".into())).await.ok();
    api.patch(&uri, "merge-patch", label(Value::Null))
        .await
        .ok();
    for expected in ["ADDED m", "MODIFIED m", "DELETED m"] {
        assert_eq!(frames.next_name().await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn streaming_lists_end_with_a_bookmark() {
    let api = Api::start().await;
    for name in ["a", "ab"] {
        api.post(MAPS, config_map(name, "1")).await.ok();
    }
    let query =
        "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut frames = api.watch(&format!("{MAPS}?{query}")).await;
    assert_eq!(frames.next_name().await, "ADDED a");
    assert_eq!(frames.next_name().await, "ADDED ab");
    let bookmark = frames.next().await;
    assert_eq!(bookmark["type"], "BOOKMARK");
    assert_eq!(bookmark["object"]["kind"], "ConfigMap");
    let annotations = &bookmark["object"]["metadata"]["annotations"];
    assert_eq!(annotations["k8s.io/initial-events-end"], "true");
    let mut one = api
        .watch(&format!("{MAPS}?watch=1&fieldSelector=metadata.name=a"))
        .await;
    assert_eq!(one.next_name().await, "ADDED a");
    assert!(one.is_quiet());
    api.patch(
        &format!("{MAPS}/ab"),
        "merge-patch",
        json!({ "data": { "key": "2" } }),
    )
    .await
    .ok();
    assert!(one.is_quiet());
}

#[tokio::test(start_paused = true)]
async fn watches_as_tables_carry_columns_once() {
    let api = Api::start().await;
    api.post(PODS, pod("a")).await.ok();
    api.post(PODS, pod("b")).await.ok();
    let table = "application/json;as=Table;g=meta.k8s.io;v=v1";
    let mut frames = api.watch_as(&format!("{PODS}?watch=1"), table).await;
    let first = frames.next().await;
    assert_eq!(first["object"]["kind"], "Table");
    assert!(first["object"]["columnDefinitions"].is_array());
    assert_eq!(first["object"]["rows"][0]["cells"][0], "a");
    assert!(frames.next().await["object"]["columnDefinitions"].is_null());
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_when_its_time_is_up() {
    let api = Api::start().await;
    let answer = api
        .get(&format!(
            "{MAPS}?watch=1&timeoutSeconds=5&labelSelector=none"
        ))
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body.is_empty());
}

#[tokio::test(start_paused = true)]
async fn quiet_watches_get_bookmarks() {
    let api = Api::start().await;
    let list = api.get(MAPS).await.ok();
    let version = list["metadata"]["resourceVersion"].as_str().unwrap();
    let uri = format!("{MAPS}?watch=1&allowWatchBookmarks=true&resourceVersion={version}");
    let mut frames = api.watch(&uri).await;
    api.post(PODS, pod("a")).await.ok();
    let bookmark = frames.next().await;
    assert_eq!(bookmark["type"], "BOOKMARK");
    let now = api.get(MAPS).await.ok()["metadata"]["resourceVersion"].clone();
    assert_eq!(bookmark["object"]["metadata"]["resourceVersion"], now);
}
