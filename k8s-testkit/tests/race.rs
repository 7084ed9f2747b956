//! Clients that race for the last of something: just one gets it, and all others are told what Kubernetes tells them.

use std::{fmt::Debug, future::Future, sync::Arc};

use k8s_openapi::api::{
    core::v1::{ConfigMap, Pod, ResourceQuota, Service},
    networking::v1::ServiceCIDR,
    policy::v1::PodDisruptionBudget,
};
use k8s_testkit::Cluster;
use kube::{
    Api,
    api::{DeleteParams, EvictParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

/// As many race: two, and far more than can be served at a time.
const CROWDS: [usize; 2] = [2, 40];

fn object<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// Lets so many clients do this at once. Those who are refused must be told `answer`, with this code; tells who aren't.
async fn race<T, F>(count: usize, answer: (u16, &str), each: impl Fn(usize) -> F) -> Vec<T>
where
    T: Debug + Send + 'static,
    F: Future<Output = Result<T, kube::Error>> + Send + 'static,
{
    let start = Arc::new(tokio::sync::Barrier::new(count));
    let racing: Vec<_> = (0..count)
        .map(|index| {
            let (start, run) = (start.clone(), each(index));
            tokio::spawn(async move {
                start.wait().await;
                run.await
            })
        })
        .collect();
    let mut winners = Vec::new();
    for racing in racing {
        match racing.await.unwrap() {
            Ok(won) => winners.push(won),
            Err(kube::Error::Api(status)) => {
                let told = status.message.as_str();
                assert_eq!(status.code, answer.0, "{told}");
                assert!(told.ends_with(answer.1), "{told}");
            }
            Err(error) => panic!("{error}"),
        }
    }
    winners
}

/// Creates a service while others do.
fn create(
    cluster: &Cluster,
    name: String,
    spec: Value,
) -> impl Future<Output = Result<Service, kube::Error>> + Send + use<> {
    let services: Api<Service> = Api::default_namespaced(cluster.client());
    async move {
        let service = object(json!({ "metadata": { "name": name }, "spec": spec }));
        services.create(&PostParams::default(), &service).await
    }
}

async fn delete(cluster: &Cluster, service: &Service) {
    let services: Api<Service> = Api::default_namespaced(cluster.client());
    let name = service.metadata.name.as_deref().unwrap();
    let params = DeleteParams::default();
    services.delete(name, &params).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_last_address_of_a_network_goes_to_one() {
    let cluster = Cluster::builder().start().await.unwrap();
    let networks: Api<ServiceCIDR> = Api::all(cluster.client());
    let params = PostParams::default();
    let small = json!({ "metadata": { "name": "small" }, "spec": { "cidrs": ["10.97.0.0/30"] } });
    networks.create(&params, &object(small)).await.unwrap();
    let closed = json!({ "status": { "conditions": [{
        "type": "Ready", "status": "False", "reason": "Test", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }] } });
    let patch = PatchParams::default();
    networks
        .patch_status("kubernetes", &patch, &Patch::Merge(closed))
        .await
        .unwrap();
    let spec = json!({ "ports": [{ "port": 80 }] });
    create(&cluster, "first".into(), spec.clone())
        .await
        .unwrap();

    let full = "Internal error occurred: failed to allocate a serviceIP: range is full";
    let mut given = None;
    for crowd in CROWDS {
        let any = |index| create(&cluster, format!("any-{index}"), spec.clone());
        let won = race(crowd, (500, full), any).await;
        assert_eq!(won.len(), 1, "{won:#?}");
        let address = won[0]
            .spec
            .as_ref()
            .and_then(|spec| spec.cluster_ip.clone());
        assert!(given.is_none() || given == address, "{address:?}");
        given = address;
        delete(&cluster, &won[0]).await;
    }

    // Those who ask for that very one are told that it is gone.
    let wanted = given.unwrap();
    let taken = "failed to allocate IP ";
    let taken = format!("{taken}{wanted}: provided IP is already allocated");
    for crowd in CROWDS {
        let mut spec = spec.clone();
        spec["clusterIP"] = wanted.as_str().into();
        let certain = |index| create(&cluster, format!("certain-{index}"), spec.clone());
        let won = race(crowd, (422, &taken), certain).await;
        assert_eq!(won.len(), 1, "{won:#?}");
        delete(&cluster, &won[0]).await;
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_last_node_port_of_the_range_goes_to_one() {
    const ALL: usize = 32_767 - 30_000 + 1;
    let cluster = Cluster::builder().start().await.unwrap();
    let ports = |count: usize| {
        let port = |index: usize| json!({ "name": format!("p{index}"), "port": index + 1 });
        let ports: Vec<Value> = (0..count).map(port).collect();
        json!({ "type": "NodePort", "ports": ports })
    };
    let mut left = ALL - 1;
    while left > 0 {
        let count = left.min(200);
        let name = format!("filler-{left}");
        create(&cluster, name, ports(count)).await.unwrap();
        left -= count;
    }

    let full = "Internal error occurred: failed to allocate a nodePort: range is full";
    let mut given = None;
    for crowd in CROWDS {
        let any = |index| create(&cluster, format!("any-{index}"), ports(1));
        let won = race(crowd, (500, full), any).await;
        assert_eq!(won.len(), 1, "{won:#?}");
        let all = won[0].spec.as_ref().and_then(|spec| spec.ports.as_ref());
        let port = all.and_then(|all| all[0].node_port);
        assert!(given.is_none() || given == port, "{port:?}");
        given = port;
        delete(&cluster, &won[0]).await;
    }

    let wanted = given.unwrap();
    let taken = format!("Invalid value: {wanted}: provided port is already allocated");
    for crowd in CROWDS {
        let mut spec = ports(1);
        spec["ports"][0]["nodePort"] = wanted.into();
        let certain = |index| create(&cluster, format!("certain-{index}"), spec.clone());
        let won = race(crowd, (422, &taken), certain).await;
        assert_eq!(won.len(), 1, "{won:#?}");
        delete(&cluster, &won[0]).await;
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_last_unit_of_a_quota_goes_to_one() {
    let builder = Cluster::builder().controllers(["resourcequota"]);
    let cluster = builder.start().await.unwrap();
    let quotas: Api<ResourceQuota> = Api::default_namespaced(cluster.client());
    let maps: Api<ConfigMap> = Api::default_namespaced(cluster.client());
    let params = PostParams::default();
    let quota = json!({ "metadata": { "name": "q" }, "spec": { "hard": { "configmaps": "1" } } });
    quotas.create(&params, &object(quota)).await.unwrap();
    let is_free = |quotas: &[Arc<ResourceQuota>]| {
        let status = quotas.iter().find_map(|quota| quota.status.as_ref());
        let used = status.and_then(|status| status.used.as_ref());
        used.is_some_and(|used| used.get("configmaps").is_some_and(|used| used.0 == "0"))
    };

    let exceeded =
        "exceeded quota: q, requested: configmaps=1, used: configmaps=1, limited: configmaps=1";
    for crowd in CROWDS {
        cluster.until(&quotas, is_free).await.unwrap();
        let create = |index| {
            let maps = maps.clone();
            async move {
                let map = object(json!({ "metadata": { "name": format!("m{index}") } }));
                maps.create(&PostParams::default(), &map).await
            }
        };
        let won: Vec<ConfigMap> = race(crowd, (403, exceeded), create).await;
        assert_eq!(won.len(), 1, "{won:#?}");
        let name = won[0].metadata.name.as_deref().unwrap();
        maps.delete(name, &DeleteParams::default()).await.unwrap();
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_last_allowed_disruption_goes_to_one() {
    // Nothing recounts: how many may go is what the budget says.
    let cluster = Cluster::builder().start().await.unwrap();
    let pods: Api<Pod> = Api::default_namespaced(cluster.client());
    let budgets: Api<PodDisruptionBudget> = Api::default_namespaced(cluster.client());
    let (params, patch) = (PostParams::default(), PatchParams::default());
    let budget = json!({
        "metadata": { "name": "web" },
        "spec": { "maxUnavailable": 1, "selector": { "matchLabels": { "app": "web" } } },
    });
    budgets.create(&params, &object(budget)).await.unwrap();
    for (round, crowd) in CROWDS.into_iter().enumerate() {
        let name = |index: usize| format!("web-{round}-{index}");
        for index in 0..crowd {
            let pod = json!({
                "metadata": { "name": name(index), "labels": { "app": "web" } },
                "spec": { "nodeName": "n1", "containers": [{ "name": "c", "image": "i" }] },
            });
            pods.create(&params, &object(pod)).await.unwrap();
            let ready = json!({ "status": {
                "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }],
            } });
            pods.patch_status(&name(index), &patch, &Patch::Merge(ready))
                .await
                .unwrap();
        }
        let open = json!({ "status": {
            "observedGeneration": 1, "disruptionsAllowed": 1, "disruptedPods": {},
            "currentHealthy": crowd, "desiredHealthy": crowd - 1, "expectedPods": crowd,
        } });
        budgets
            .patch_status("web", &patch, &Patch::Merge(open))
            .await
            .unwrap();

        let closed = "Cannot evict pod as it would violate the pod's disruption budget.";
        let evict = |index| {
            let (pods, name) = (pods.clone(), name(index));
            async move {
                pods.evict(&name, &EvictParams::default()).await?;
                Ok(name)
            }
        };
        let won = race(crowd, (429, closed), evict).await;
        assert_eq!(won.len(), 1, "{won:?}");
        let status = budgets.get("web").await.unwrap().status.unwrap();
        assert_eq!(status.disruptions_allowed, Some(0));
        let gone: Vec<String> = status
            .disrupted_pods
            .into_iter()
            .flatten()
            .map(|(pod, _)| pod)
            .collect();
        assert!(gone.contains(&won[0]), "{gone:?}");
        for index in 0..crowd {
            let now = DeleteParams::default().grace_period(0);
            let _ = pods.delete(&name(index), &now).await;
        }
    }
    cluster.stop().await;
}
