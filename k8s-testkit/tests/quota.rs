//! Quotas across server and controller: exact through all that charges, frees and counts.

use std::collections::BTreeMap;

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Pod, ResourceQuota},
};
use k8s_testkit::Cluster;
use kube::{
    Api,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

fn object<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn quota(name: &str, hard: Value) -> ResourceQuota {
    object(json!({ "metadata": { "name": name }, "spec": { "hard": hard } }))
}

fn pod(name: &str, cpu: &str) -> Pod {
    let resources = json!({ "requests": { "cpu": cpu } });
    let container = json!({ "name": "c", "image": "i", "resources": resources });
    object(json!({ "metadata": { "name": name }, "spec": { "containers": [container] } }))
}

fn map(name: &str) -> ConfigMap {
    object(json!({ "metadata": { "name": name } }))
}

/// What the quota says is used.
fn used(quota: &ResourceQuota) -> BTreeMap<String, String> {
    let status = quota.status.clone().unwrap_or_default();
    let used = status.used.unwrap_or_default().into_iter();
    used.map(|(name, amount)| (name, amount.0)).collect()
}

fn amounts(amounts: &[(&str, &str)]) -> BTreeMap<String, String> {
    let own = |text: &str| text.to_owned();
    amounts
        .iter()
        .map(|(name, amount)| (own(name), own(amount)))
        .collect()
}

/// Waits until the quota of this name says that just this is used.
async fn until_used(cluster: &Cluster, name: &str, want: &[(&str, &str)]) {
    let quotas: Api<ResourceQuota> = Api::default_namespaced(cluster.client());
    let want = amounts(want);
    let is_there = |all: &[std::sync::Arc<ResourceQuota>]| {
        let mut all = all.iter();
        all.any(|quota| quota.metadata.name.as_deref() == Some(name) && used(quota) == want)
    };
    if cluster.until(&quotas, is_there).await.is_err() {
        let found = quotas.get(name).await.unwrap();
        panic!("{name}: wanted {want:?}, found {:?}", used(&found));
    }
}

fn refusal<T: std::fmt::Debug>(result: Result<T, kube::Error>) -> String {
    match result {
        Err(kube::Error::Api(status)) if status.code == 403 => status.message.clone(),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_quota_is_exact_from_create_to_delete() {
    let builder = Cluster::builder().controllers(["resourcequota"]);
    let cluster = builder.start().await.unwrap();
    let pods: Api<Pod> = Api::default_namespaced(cluster.client());
    let quotas: Api<ResourceQuota> = Api::default_namespaced(cluster.client());
    let params = PostParams::default();
    let now_used = async || used(&quotas.get("q").await.unwrap());

    // What was there before the quota is counted.
    pods.create(&params, &pod("old", "500m")).await.unwrap();
    let hard = json!({ "pods": "3", "requests.cpu": "2", "count/pods": "9" });
    quotas.create(&params, &quota("q", hard)).await.unwrap();
    let one = [("count/pods", "1"), ("pods", "1"), ("requests.cpu", "500m")];
    until_used(&cluster, "q", &one).await;

    // A create is charged when it returns.
    pods.create(&params, &pod("b", "1")).await.unwrap();
    let two = [
        ("count/pods", "2"),
        ("pods", "2"),
        ("requests.cpu", "1500m"),
    ];
    assert_eq!(now_used().await, amounts(&two));
    assert_eq!(
        refusal(pods.create(&params, &pod("c", "1")).await),
        "pods \"c\" is forbidden: exceeded quota: q, requested: requests.cpu=1, used: requests.cpu=1500m, limited: requests.cpu=2"
    );

    // A pod that ends makes room, though it is still there.
    let patch = PatchParams::default();
    let ended = Patch::Merge(json!({ "status": { "phase": "Succeeded" } }));
    pods.patch_status("b", &patch, &ended).await.unwrap();
    let freed = [("count/pods", "2"), ("pods", "1"), ("requests.cpu", "500m")];
    until_used(&cluster, "q", &freed).await;
    pods.create(&params, &pod("c", "1")).await.unwrap();

    // A resize that grows is charged at once, one that shrinks is counted.
    let resized = |cpu: &str| {
        let container = json!({ "name": "c", "resources": { "requests": { "cpu": cpu } } });
        Patch::Strategic(json!({ "spec": { "containers": [container] } }))
    };
    let resize = async |cpu: &str| {
        pods.patch_subresource("resize", "c", &patch, &resized(cpu))
            .await
    };
    resize("1500m").await.unwrap();
    assert_eq!(now_used().await["requests.cpu"], "2");
    assert!(refusal(resize("2").await).contains("exceeded quota: q, requested: requests.cpu=500m"));
    resize("100m").await.unwrap();
    let shrunk = [("count/pods", "3"), ("pods", "2"), ("requests.cpu", "600m")];
    until_used(&cluster, "q", &shrunk).await;

    // What is removed is given back when the delete returns.
    pods.delete("c", &DeleteParams::default()).await.unwrap();
    assert_eq!(now_used().await, amounts(&freed));
    pods.delete("b", &DeleteParams::default()).await.unwrap();
    assert_eq!(now_used().await, amounts(&one));

    // New limits come into force with what is used of them.
    let wanted = Patch::Merge(json!({ "spec": { "hard": { "pods": "1", "count/pods": null } } }));
    quotas.patch("q", &patch, &wanted).await.unwrap();
    until_used(&cluster, "q", &[("pods", "1"), ("requests.cpu", "500m")]).await;
    assert!(refusal(pods.create(&params, &pod("d", "1")).await).contains("limited: pods=1"));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_clients_as_many_pass_as_fit() {
    let builder = Cluster::builder().controllers(["resourcequota"]);
    let cluster = builder.start().await.unwrap();
    let quotas: Api<ResourceQuota> = Api::default_namespaced(cluster.client());
    let hard = json!({ "configmaps": "42" });
    let params = PostParams::default();
    quotas.create(&params, &quota("q", hard)).await.unwrap();
    until_used(&cluster, "q", &[("configmaps", "0")]).await;

    let create = |index: usize| {
        let maps: Api<ConfigMap> = Api::default_namespaced(cluster.client());
        tokio::spawn(async move {
            let map = map(&format!("m{index}"));
            maps.create(&PostParams::default(), &map).await
        })
    };
    let creating: Vec<_> = (0..100).map(create).collect();
    let mut made = Vec::new();
    for creating in creating {
        match creating.await.unwrap() {
            Ok(map) => made.push(map.metadata.name.unwrap()),
            refused => {
                let told = refusal(refused);
                let sentence = "exceeded quota: q, requested: configmaps=1, used: configmaps=42, limited: configmaps=42";
                assert!(told.ends_with(sentence), "{told}");
            }
        }
    }
    assert_eq!(made.len(), 42);

    // While some go and others come, no more than fit are there.
    let delete = |name: &String| {
        let maps: Api<ConfigMap> = Api::default_namespaced(cluster.client());
        let name = name.clone();
        tokio::spawn(async move { maps.delete(&name, &DeleteParams::default()).await })
    };
    let deleting: Vec<_> = made.iter().take(10).map(delete).collect();
    let creating: Vec<_> = (100..120).map(create).collect();
    for deleting in deleting {
        deleting.await.unwrap().unwrap();
    }
    let mut came = 0;
    for creating in creating {
        came += usize::from(creating.await.unwrap().is_ok());
    }
    assert!(came <= 10, "{came} came where 10 went");
    let maps: Api<ConfigMap> = Api::default_namespaced(cluster.client());
    let there = maps.list(&ListParams::default()).await.unwrap().items.len();
    assert_eq!(there, 32 + came);
    until_used(&cluster, "q", &[("configmaps", &there.to_string())]).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn counting_never_undoes_a_charge() {
    let builder = Cluster::builder().controllers(["resourcequota"]);
    let cluster = builder.start().await.unwrap();
    let quotas: Api<ResourceQuota> = Api::default_namespaced(cluster.client());
    let params = PostParams::default();
    quotas
        .create(&params, &quota("q", json!({ "pods": "20" })))
        .await
        .unwrap();
    until_used(&cluster, "q", &[("pods", "0")]).await;

    // Each of these pods ends as soon as it is there, so that there is always something to count.
    let churn = |worker: usize| {
        let pods: Api<Pod> = Api::default_namespaced(cluster.client());
        tokio::spawn(async move {
            let mut made = 0;
            for round in 0..25 {
                let name = format!("p{worker}-{round}");
                if pods
                    .create(&PostParams::default(), &pod(&name, "1"))
                    .await
                    .is_err()
                {
                    continue;
                }
                made += 1;
                let live = pods.list(&ListParams::default()).await.unwrap().items;
                let live = live.iter().filter(|pod| {
                    let status = pod.status.as_ref();
                    status.and_then(|status| status.phase.as_deref()) == Some("Pending")
                });
                assert!(live.count() <= 20, "more pods than the quota allows");
                let ended = Patch::Merge(json!({ "status": { "phase": "Failed" } }));
                let patch = PatchParams::default();
                pods.patch_status(&name, &patch, &ended).await.unwrap();
            }
            made
        })
    };
    let churning: Vec<_> = (0..30).map(churn).collect();
    let mut made = 0;
    for churning in churning {
        made += churning.await.unwrap();
    }
    assert!(made >= 20, "{made} pods were made");
    until_used(&cluster, "q", &[("pods", "0")]).await;
    cluster.stop().await;
}

#[tokio::test]
async fn any_kind_is_counted() {
    let builder = Cluster::builder().controllers(["resourcequota"]);
    let cluster = builder.start().await.unwrap();
    let deployments: Api<Deployment> = Api::default_namespaced(cluster.client());
    let quotas: Api<ResourceQuota> = Api::default_namespaced(cluster.client());
    let params = PostParams::default();
    let deployment = |name: &str| {
        let labels = json!({ "app": name });
        let template = json!({
            "metadata": { "labels": labels },
            "spec": { "containers": [{ "name": "c", "image": "i" }] },
        });
        let spec = json!({ "selector": { "matchLabels": labels }, "template": template });
        object::<Deployment>(json!({ "metadata": { "name": name }, "spec": spec }))
    };
    deployments.create(&params, &deployment("a")).await.unwrap();
    let hard = json!({ "count/deployments.apps": "2", "resourcequotas": "1" });
    quotas.create(&params, &quota("q", hard)).await.unwrap();
    let name = "count/deployments.apps";
    until_used(&cluster, "q", &[(name, "1"), ("resourcequotas", "1")]).await;
    deployments.create(&params, &deployment("b")).await.unwrap();
    assert_eq!(
        refusal(deployments.create(&params, &deployment("c")).await),
        "deployments.apps \"c\" is forbidden: exceeded quota: q, requested: count/deployments.apps=1, \
         used: count/deployments.apps=2, limited: count/deployments.apps=2"
    );
    let background = DeleteParams::background();
    deployments.delete("a", &background).await.unwrap();
    until_used(&cluster, "q", &[(name, "1"), ("resourcequotas", "1")]).await;
    cluster.stop().await;
}
