//! Quotas and limit ranges, as writers meet them.

use super::*;

const QUOTAS: &str = "/api/v1/namespaces/default/resourcequotas";
const RANGES: &str = "/api/v1/namespaces/default/limitranges";
const SERVICES: &str = "/api/v1/namespaces/default/services";
const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";

/// A quota whose controller has counted nothing yet.
async fn uncounted(api: &Api, name: &str, spec: Value) {
    let quota = json!({ "metadata": { "name": name }, "spec": spec });
    api.post(QUOTAS, quota).await.ok();
}

/// A quota in force. What is used already is told by the test, in place of the controller.
async fn quota(api: &Api, name: &str, spec: Value, used: Value) {
    uncounted(api, name, spec.clone()).await;
    let status = json!({ "status": { "hard": spec["hard"], "used": used } });
    let uri = format!("{QUOTAS}/{name}/status");
    api.patch(&uri, "merge-patch", status).await.ok();
}

async fn used(api: &Api, name: &str) -> Value {
    let quota = api.get(&format!("{QUOTAS}/{name}")).await.ok();
    quota["status"]["used"].clone()
}

async fn revision(api: &Api, name: &str) -> String {
    let quota = api.get(&format!("{QUOTAS}/{name}")).await.ok();
    quota["metadata"]["resourceVersion"].to_string()
}

fn asking(name: &str, cpu: &str) -> Value {
    let mut asking = pod(name);
    asking["spec"]["containers"][0]["resources"] = json!({ "requests": { "cpu": cpu } });
    asking
}

fn claim(name: &str, storage: &str) -> Value {
    json!({
        "metadata": { "name": name },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": { "requests": { "storage": storage } },
        },
    })
}

#[tokio::test(start_paused = true)]
async fn the_last_one_goes_to_one_of_two() {
    let api = Api::start().await;
    quota(
        &api,
        "one",
        json!({ "hard": { "pods": "1" } }),
        json!({ "pods": "0" }),
    )
    .await;
    let (a, b) = tokio::join!(api.post(PODS, pod("a")), api.post(PODS, pod("b")));
    let mut answers = [a, b];
    answers.sort_by_key(|answer| answer.status);
    assert_eq!(answers[0].status, StatusCode::CREATED);
    let failure = answers[1].failure();
    assert!(
        failure.ends_with(
            "is forbidden: exceeded quota: one, requested: pods=1, used: pods=1, limited: pods=1"
        ),
        "{failure}"
    );
}

#[tokio::test(start_paused = true)]
async fn of_a_hundred_at_once_as_many_pass_as_fit() {
    let api = Api::start().await;
    let hard = json!({ "hard": { "count/configmaps": "37", "configmaps": "40" } });
    quota(
        &api,
        "some",
        hard,
        json!({ "count/configmaps": "0", "configmaps": "0" }),
    )
    .await;
    let names: Vec<String> = (0..100).map(|index| format!("m{index}")).collect();
    let creates = names
        .iter()
        .map(|name| api.post(MAPS, config_map(name, "")));
    let answers = futures::future::join_all(creates).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers
        .iter()
        .partition(|answer| answer.status == StatusCode::CREATED);
    assert_eq!((made.len(), refused.len()), (37, 63));
    for answer in refused {
        let failure = answer.failure();
        assert!(
            failure.starts_with("403 Forbidden: configmaps \"m"),
            "{failure}"
        );
        assert!(
            failure.ends_with(
                "\" is forbidden: exceeded quota: some, requested: count/configmaps=1, \
                 used: count/configmaps=37, limited: count/configmaps=37"
            ),
            "{failure}"
        );
    }
    let counted = json!({ "configmaps": "37", "count/configmaps": "37" });
    assert_eq!(used(&api, "some").await, counted);
    let there = api.get(MAPS).await.ok()["items"].as_array().unwrap().len();
    assert_eq!(there, 37);
}

#[tokio::test(start_paused = true)]
async fn two_quotas_are_charged_or_none() {
    let api = Api::start().await;
    quota(
        &api,
        "a",
        json!({ "hard": { "pods": "9" } }),
        json!({ "pods": "3" }),
    )
    .await;
    quota(
        &api,
        "b",
        json!({ "hard": { "cpu": "1" } }),
        json!({ "cpu": "500m" }),
    )
    .await;
    api.post(PODS, asking("fits", "500m")).await.ok();
    assert_eq!(
        api.post(PODS, asking("big", "100m")).await.failure(),
        "403 Forbidden: pods \"big\" is forbidden: exceeded quota: b, requested: cpu=100m, used: cpu=1, limited: cpu=1"
    );
    assert_eq!(
        api.post(PODS, pod("silent")).await.failure(),
        "403 Forbidden: pods \"silent\" is forbidden: failed quota: b: must specify cpu for: c"
    );
    assert_eq!(used(&api, "a").await, json!({ "pods": "4" }));
    assert_eq!(used(&api, "b").await, json!({ "cpu": "1" }));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_is_refused_but_never_charged() {
    let api = Api::start().await;
    quota(
        &api,
        "one",
        json!({ "hard": { "pods": "1" } }),
        json!({ "pods": "0" }),
    )
    .await;
    let dry = format!("{PODS}?dryRun=All");
    api.post(&dry, pod("a")).await.ok();
    assert_eq!(used(&api, "one").await, json!({ "pods": "0" }));
    api.post(PODS, pod("a")).await.ok();
    assert_eq!(api.post(&dry, pod("b")).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test(start_paused = true)]
async fn what_is_removed_gives_its_charge_back() {
    let api = Api::start().await;
    quota(
        &api,
        "one",
        json!({ "hard": { "pods": "1" } }),
        json!({ "pods": "0" }),
    )
    .await;
    let mut held = pod("held");
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    api.post(PODS, held).await.ok();
    api.delete(&format!("{PODS}/held")).await.ok();
    // It is going, but there.
    assert_eq!(used(&api, "one").await, json!({ "pods": "1" }));
    let free = json!({ "metadata": { "finalizers": null } });
    let uri = format!("{PODS}/held");
    api.patch(&uri, "merge-patch", free).await.ok();
    assert_eq!(used(&api, "one").await, json!({ "pods": "0" }));
    api.post(PODS, pod("next")).await.ok();
    api.delete(&format!("{PODS}/next")).await.ok();
    assert_eq!(used(&api, "one").await, json!({ "pods": "0" }));
}

#[tokio::test(start_paused = true)]
async fn an_uncounted_quota_refuses_nothing_and_is_counted_anew() {
    let api = Api::start().await;
    uncounted(&api, "new", json!({ "hard": { "pods": "0" } })).await;
    let before = revision(&api, "new").await;
    api.post(MAPS, config_map("m", "")).await.ok();
    assert_eq!(revision(&api, "new").await, before);
    api.post(PODS, pod("a")).await.ok();
    assert_ne!(revision(&api, "new").await, before);
    assert_eq!(used(&api, "new").await, Value::Null);
    // Limits without a count are known to be unknown.
    let status = json!({ "status": { "hard": { "pods": "5" } } });
    let uri = format!("{QUOTAS}/new/status");
    api.patch(&uri, "merge-patch", status).await.ok();
    assert_eq!(
        api.post(PODS, pod("b")).await.failure(),
        "403 Forbidden: pods \"b\" is forbidden: status unknown for quota: new, resources: pods"
    );
}

#[tokio::test(start_paused = true)]
async fn an_update_is_charged_what_it_costs_more() {
    let api = Api::start().await;
    let hard = json!({ "hard": { "services.loadbalancers": "1", "requests.storage": "3Gi" } });
    let none = json!({ "services.loadbalancers": "0", "requests.storage": "0" });
    quota(&api, "q", hard, none).await;
    for name in ["a", "b"] {
        let service =
            json!({ "metadata": { "name": name }, "spec": { "ports": [{ "port": 80 }] } });
        api.post(SERVICES, service).await.ok();
    }
    let balanced = json!({ "spec": { "type": "LoadBalancer" } });
    let patch = async |name: &str| {
        let uri = format!("{SERVICES}/{name}");
        api.patch(&uri, "merge-patch", balanced.clone()).await
    };
    patch("a").await.ok();
    assert_eq!(
        patch("b").await.failure(),
        "403 Forbidden: services \"b\" is forbidden: exceeded quota: q, requested: services.loadbalancers=1, \
         used: services.loadbalancers=1, limited: services.loadbalancers=1"
    );
    // The same once more costs nothing.
    let label = json!({ "metadata": { "labels": { "a": "b" } } });
    api.patch(&format!("{SERVICES}/a"), "merge-patch", label)
        .await
        .ok();

    let class =
        json!({ "metadata": { "name": "s" }, "provisioner": "p", "allowVolumeExpansion": true });
    api.post("/apis/storage.k8s.io/v1/storageclasses", class)
        .await
        .ok();
    let mut bound = claim("c", "2Gi");
    bound["spec"]["storageClassName"] = json!("s");
    api.post(CLAIMS, bound).await.ok();
    let status = json!({ "status": { "phase": "Bound", "capacity": { "storage": "2Gi" } } });
    let uri = format!("{CLAIMS}/c/status");
    api.patch(&uri, "merge-patch", status).await.ok();
    let grow = async |storage: &str| {
        let spec = json!({ "spec": { "resources": { "requests": { "storage": storage } } } });
        api.patch(&format!("{CLAIMS}/c"), "merge-patch", spec).await
    };
    grow("3Gi").await.ok();
    assert_eq!(
        grow("4Gi").await.failure(),
        "403 Forbidden: persistentvolumeclaims \"c\" is forbidden: exceeded quota: q, requested: requests.storage=1Gi, \
         used: requests.storage=3Gi, limited: requests.storage=3Gi"
    );
    let all = json!({ "services.loadbalancers": "1", "requests.storage": "3Gi" });
    assert_eq!(used(&api, "q").await, all);
}

#[tokio::test(start_paused = true)]
async fn a_resize_is_charged_and_an_update_of_labels_is_not() {
    let api = Api::start().await;
    quota(
        &api,
        "q",
        json!({ "hard": { "cpu": "1" } }),
        json!({ "cpu": "0" }),
    )
    .await;
    api.post(PODS, asking("a", "500m")).await.ok();
    let resize = async |cpu: &str| {
        let containers = json!([{ "name": "c", "resources": { "requests": { "cpu": cpu } } }]);
        let spec = json!({ "spec": { "containers": containers } });
        let uri = format!("{PODS}/a/resize");
        api.patch(&uri, "strategic-merge-patch", spec).await
    };
    resize("1").await.ok();
    assert_eq!(used(&api, "q").await, json!({ "cpu": "1" }));
    assert_eq!(
        resize("1500m").await.failure(),
        "403 Forbidden: pods \"a\" is forbidden: exceeded quota: q, requested: cpu=500m, used: cpu=1, limited: cpu=1"
    );
    // What shrinks is given back when it has been counted.
    resize("600m").await.ok();
    assert_eq!(used(&api, "q").await, json!({ "cpu": "1" }));
    let label = json!({ "metadata": { "labels": { "a": "b" } } });
    api.patch(&format!("{PODS}/a"), "merge-patch", label)
        .await
        .ok();
}

#[tokio::test(start_paused = true)]
async fn a_deadline_moves_a_pod_into_another_scope() {
    let api = Api::start().await;
    let spec = json!({ "hard": { "pods": "1" }, "scopes": ["Terminating"] });
    quota(&api, "ending", spec, json!({ "pods": "0" })).await;
    for name in ["a", "b"] {
        api.post(PODS, pod(name)).await.ok();
    }
    let deadline = json!({ "spec": { "activeDeadlineSeconds": 60 } });
    let end = async |name: &str| {
        let uri = format!("{PODS}/{name}");
        api.patch(&uri, "merge-patch", deadline.clone()).await
    };
    end("a").await.ok();
    assert_eq!(
        end("b").await.failure(),
        "403 Forbidden: pods \"b\" is forbidden: exceeded quota: ending, requested: pods=1, used: pods=1, limited: pods=1"
    );
}

#[tokio::test(start_paused = true)]
async fn any_kind_is_counted_quotas_too() {
    let api = Api::start().await;
    let hard =
        json!({ "hard": { "resourcequotas": "2", "count/leases.coordination.k8s.io": "0" } });
    let none = json!({ "resourcequotas": "1", "count/leases.coordination.k8s.io": "0" });
    quota(&api, "q", hard, none).await;
    let leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
    assert_eq!(
        api.post(leases, json!({ "metadata": { "name": "l" } }))
            .await
            .failure(),
        "403 Forbidden: leases.coordination.k8s.io \"l\" is forbidden: exceeded quota: q, \
         requested: count/leases.coordination.k8s.io=1, used: count/leases.coordination.k8s.io=0, \
         limited: count/leases.coordination.k8s.io=0"
    );
    uncounted(&api, "r", json!({})).await;
    let third = json!({ "metadata": { "name": "s" } });
    assert_eq!(api.post(QUOTAS, third).await.status, StatusCode::FORBIDDEN);
    api.delete(&format!("{QUOTAS}/r")).await.ok();
    assert_eq!(used(&api, "q").await["resourcequotas"], "1");
    // A quota that goes is not written once more.
    api.delete(&format!("{QUOTAS}/q")).await.ok();
    assert_eq!(
        api.get(&format!("{QUOTAS}/q")).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test(start_paused = true)]
async fn events_and_what_lies_outside_namespaces_are_not_counted() {
    let api = Api::start().await;
    let hard = json!({ "hard": { "count/events": "0", "count/events.events.k8s.io": "0", "count/nodes": "0" } });
    let none =
        json!({ "count/events": "0", "count/events.events.k8s.io": "0", "count/nodes": "0" });
    quota(&api, "q", hard, none).await;
    let event = json!({
        "metadata": { "name": "e" },
        "involvedObject": { "kind": "Pod", "name": "p", "namespace": "default" },
    });
    api.post("/api/v1/namespaces/default/events", event)
        .await
        .ok();
    api.post("/api/v1/nodes", json!({ "metadata": { "name": "n" } }))
        .await
        .ok();
}

#[tokio::test(start_paused = true)]
async fn a_limit_range_gives_and_bounds() {
    let api = Api::start().await;
    let range = json!({
        "metadata": { "name": "r" },
        "spec": { "limits": [
            { "type": "Container", "max": { "cpu": "1" }, "defaultRequest": { "cpu": "500m" } },
            { "type": "PersistentVolumeClaim", "max": { "storage": "2Gi" } },
        ] },
    });
    api.post(RANGES, range).await.ok();
    let made = api.post(PODS, pod("a")).await.ok();
    assert_eq!(
        made["metadata"]["annotations"]["kubernetes.io/limit-ranger"],
        "LimitRanger plugin set: cpu request for container c; cpu limit for container c"
    );
    let resources = json!({ "requests": { "cpu": "500m" }, "limits": { "cpu": "1" } });
    assert_eq!(made["spec"]["containers"][0]["resources"], resources);
    assert_eq!(made["status"]["qosClass"], "Burstable");
    let mut big = asking("b", "2");
    big["spec"]["containers"][0]["resources"]["limits"] = json!({ "cpu": "2" });
    assert_eq!(
        api.post(PODS, big).await.failure(),
        "403 Forbidden: pods \"b\" is forbidden: maximum cpu usage per Container is 1, but limit is 2"
    );
    assert_eq!(
        api.post(CLAIMS, claim("c", "3Gi")).await.failure(),
        "403 Forbidden: persistentvolumeclaims \"c\" is forbidden: maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi"
    );
    let containers = json!([{ "name": "c", "resources": { "limits": { "cpu": "2" } } }]);
    let spec = json!({ "spec": { "containers": containers } });
    let uri = format!("{PODS}/a/resize");
    assert_eq!(
        api.patch(&uri, "strategic-merge-patch", spec)
            .await
            .failure(),
        "403 Forbidden: pods \"a\" is forbidden: maximum cpu usage per Container is 1, but limit is 2"
    );
    // What else changes about a pod is not looked at: ranges may have come later.
    let label = json!({ "metadata": { "labels": { "a": "b" } } });
    api.patch(&format!("{PODS}/a"), "merge-patch", label)
        .await
        .ok();
}
