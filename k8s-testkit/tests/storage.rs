//! Claims and volumes across server, binder, scheduler and provisioner.

use std::sync::Arc;

use k8s_openapi::api::{
    core::v1::{Event, Node, PersistentVolume, PersistentVolumeClaim, Pod},
    storage::v1::{CSIDriver, StorageClass, VolumeAttachment},
};
use k8s_testkit::{Builder, Cluster};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

const CONTROLLERS: [&str; 5] = [
    "persistentvolume-binder",
    "persistentvolumeclaim-protection",
    "persistentvolume-protection",
    "ephemeral-volume",
    "garbage-collector",
];

fn object<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn builder() -> Builder {
    Cluster::builder().controllers(CONTROLLERS)
}

struct Apis {
    claims: Api<PersistentVolumeClaim>,
    volumes: Api<PersistentVolume>,
    pods: Api<Pod>,
    classes: Api<StorageClass>,
    events: Api<Event>,
}

impl Apis {
    fn of(cluster: &Cluster) -> Self {
        let client = || cluster.client();
        Self {
            claims: Api::default_namespaced(client()),
            volumes: Api::all(client()),
            pods: Api::default_namespaced(client()),
            classes: Api::all(client()),
            events: Api::default_namespaced(client()),
        }
    }
}

async fn create<K>(api: &Api<K>, value: Value) -> K
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned + serde::Serialize,
{
    api.create(&PostParams::default(), &object(value))
        .await
        .unwrap()
}

fn claim(name: &str, spec: Value) -> Value {
    let mut claim = json!({
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    for (key, value) in spec.as_object().unwrap() {
        claim["spec"][key] = value.clone();
    }
    claim
}

fn volume(name: &str, size: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": size}, "hostPath": {"path": "/data"}},
    })
}

fn pod(name: &str, volume: Value) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "containers": [{"name": "c", "image": "i"}],
            "volumes": [volume],
            "terminationGracePeriodSeconds": 0,
        },
    })
}

fn uses(claim: &str) -> Value {
    json!({"name": "data", "persistentVolumeClaim": {"claimName": claim}})
}

fn claim_phase(claims: &[Arc<PersistentVolumeClaim>], name: &str) -> String {
    let mut claims = claims.iter();
    let claim = claims.find(|claim| claim.metadata.name.as_deref() == Some(name));
    let status = claim.and_then(|claim| claim.status.clone());
    status.and_then(|status| status.phase).unwrap_or_default()
}

fn volume_phase(volumes: &[Arc<PersistentVolume>], name: &str) -> String {
    let mut volumes = volumes.iter();
    let volume = volumes.find(|volume| volume.metadata.name.as_deref() == Some(name));
    let status = volume.and_then(|volume| volume.status.clone());
    status.and_then(|status| status.phase).unwrap_or_default()
}

fn node_of(pods: &[Arc<Pod>], name: &str) -> Option<String> {
    let mut pods = pods.iter();
    let pod = pods.find(|pod| pod.metadata.name.as_deref() == Some(name))?;
    pod.spec.as_ref()?.node_name.clone()
}

fn says(events: &[Arc<Event>], reason: &str, message: &str) -> bool {
    events.iter().any(|event| {
        event.reason.as_deref() == Some(reason)
            && event
                .message
                .as_deref()
                .is_some_and(|text| text.starts_with(message))
    })
}

#[tokio::test]
async fn a_claim_takes_the_smallest_volume_that_holds_it_and_gives_it_back() {
    let cluster = builder().start().await.unwrap();
    let apis = Apis::of(&cluster);
    for (name, size) in [("large", "10Gi"), ("small", "2Gi"), ("tiny", "1Mi")] {
        create(&apis.volumes, volume(name, size)).await;
    }
    let free = |volumes: &[Arc<PersistentVolume>]| volume_phase(volumes, "small") == "Available";
    cluster.until(&apis.volumes, free).await.unwrap();
    create(&apis.claims, claim("data", json!({}))).await;
    let bound = |claims: &[Arc<PersistentVolumeClaim>]| claim_phase(claims, "data") == "Bound";
    let claims = cluster.until(&apis.claims, bound).await.unwrap();
    let spec = claims[0].spec.clone().unwrap();
    assert_eq!(spec.volume_name.as_deref(), Some("small"));
    let capacity = claims[0].status.clone().unwrap().capacity.unwrap();
    assert_eq!(capacity["storage"].0, "2Gi");

    apis.claims
        .delete("data", &DeleteParams::default())
        .await
        .unwrap();
    let released = |volumes: &[Arc<PersistentVolume>]| volume_phase(volumes, "small") == "Released";
    cluster.until(&apis.volumes, released).await.unwrap();
    // It is kept for its data; who takes the reference away offers it anew.
    create(&apis.claims, claim("more", json!({}))).await;
    let bound = |claims: &[Arc<PersistentVolumeClaim>]| claim_phase(claims, "more") == "Bound";
    let claims = cluster.until(&apis.claims, bound).await.unwrap();
    let taken = claims[0].spec.clone().unwrap().volume_name;
    assert_eq!(taken.as_deref(), Some("large"));
    let free = Patch::Merge(json!({"spec": {"claimRef": null}}));
    apis.volumes
        .patch("small", &PatchParams::default(), &free)
        .await
        .unwrap();
    let available =
        |volumes: &[Arc<PersistentVolume>]| volume_phase(volumes, "small") == "Available";
    cluster.until(&apis.volumes, available).await.unwrap();
    cluster.stop().await;
}

#[tokio::test]
async fn each_of_many_claims_gets_a_volume_of_its_own() {
    const COUNT: usize = 20;
    let cluster = builder().start().await.unwrap();
    let apis = Apis::of(&cluster);
    for at in 0..COUNT {
        create(&apis.claims, claim(&format!("c{at}"), json!({}))).await;
    }
    for at in 0..COUNT {
        create(&apis.volumes, volume(&format!("v{at}"), "1Gi")).await;
    }
    let all_bound = |claims: &[Arc<PersistentVolumeClaim>]| {
        let phase = |claim: &Arc<PersistentVolumeClaim>| claim.status.clone()?.phase;
        claims
            .iter()
            .filter(|claim| phase(claim).as_deref() == Some("Bound"))
            .count()
            == COUNT
    };
    let claims = cluster.until(&apis.claims, all_bound).await.unwrap();
    let mut names: Vec<_> = claims
        .iter()
        .filter_map(|claim| claim.spec.clone()?.volume_name)
        .collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), COUNT);
    cluster.stop().await;
}

#[tokio::test]
async fn a_claim_that_comes_before_the_default_class_gets_it_later() {
    let cluster = builder().start().await.unwrap();
    let apis = Apis::of(&cluster);
    create(&apis.claims, claim("early", json!({}))).await;
    let told =
        |events: &[Arc<Event>]| says(events, "FailedBinding", "no persistent volumes available");
    cluster.until(&apis.events, told).await.unwrap();
    let mark = json!({"storageclass.kubernetes.io/is-default-class": "true"});
    let class = json!({"metadata": {"name": "standard", "annotations": mark}, "provisioner": "example.com/p"});
    create(&apis.classes, class).await;
    let asked = |claims: &[Arc<PersistentVolumeClaim>]| {
        let annotations = claims[0].metadata.annotations.clone().unwrap_or_default();
        let by = annotations.get("volume.kubernetes.io/storage-provisioner");
        by.map(String::as_str) == Some("example.com/p")
    };
    let claims = cluster.until(&apis.claims, asked).await.unwrap();
    let class = claims[0].spec.clone().unwrap().storage_class_name;
    assert_eq!(class.as_deref(), Some("standard"));
    let told = |events: &[Arc<Event>]| {
        says(
            events,
            "ExternalProvisioning",
            "Waiting for a volume to be created either by the external",
        )
    };
    cluster.until(&apis.events, told).await.unwrap();
    cluster.stop().await;
}

#[tokio::test]
async fn a_local_volume_is_made_for_the_first_pod_and_goes_with_its_claim() {
    let cluster = builder()
        .scheduler()
        .hollow_nodes(2)
        .local_path()
        .start()
        .await
        .unwrap();
    let apis = Apis::of(&cluster);
    let installed = |classes: &[Arc<StorageClass>]| !classes.is_empty();
    cluster.until(&apis.classes, installed).await.unwrap();
    create(&apis.claims, claim("data", json!({}))).await;
    let told = |events: &[Arc<Event>]| {
        says(
            events,
            "WaitForFirstConsumer",
            "waiting for first consumer to be created before binding",
        )
    };
    cluster.until(&apis.events, told).await.unwrap();
    let pending = apis.claims.get("data").await.unwrap();
    assert_eq!(claim_phase(&[Arc::new(pending)], "data"), "Pending");

    create(&apis.pods, pod("first", uses("data"))).await;
    let placed = |pods: &[Arc<Pod>]| node_of(pods, "first").is_some();
    let pods = cluster.until(&apis.pods, placed).await.unwrap();
    let node = node_of(&pods, "first").unwrap();
    let bound = apis.claims.get("data").await.unwrap();
    let name = bound.spec.clone().unwrap().volume_name.unwrap();
    assert_eq!(name, format!("pvc-{}", bound.metadata.uid.clone().unwrap()));
    assert_eq!(claim_phase(&[Arc::new(bound)], "data"), "Bound");
    let volume = apis.volumes.get(&name).await.unwrap();
    let path = volume.spec.clone().unwrap().local.unwrap().path;
    assert!(std::path::Path::new(&path).is_dir());

    // Whoever uses it next has to go where it is.
    create(&apis.pods, pod("second", uses("data"))).await;
    let placed = |pods: &[Arc<Pod>]| node_of(pods, "second").is_some();
    let pods = cluster.until(&apis.pods, placed).await.unwrap();
    assert_eq!(node_of(&pods, "second"), Some(node));

    let now = DeleteParams::default();
    apis.claims.delete("data", &now).await.unwrap();
    for pod in ["first", "second"] {
        assert!(apis.claims.get_opt("data").await.unwrap().is_some());
        apis.pods
            .delete(pod, &now.clone().grace_period(0))
            .await
            .unwrap();
    }
    let gone = |volumes: &[Arc<PersistentVolume>]| volumes.is_empty();
    cluster.until(&apis.volumes, gone).await.unwrap();
    assert!(!std::path::Path::new(&path).exists());
    cluster.stop().await;
}

#[tokio::test]
async fn of_two_pods_that_race_for_one_volume_one_waits() {
    let cluster = builder().scheduler().hollow_nodes(2).start().await.unwrap();
    let apis = Apis::of(&cluster);
    let class = json!({"metadata": {"name": "late"}, "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer"});
    create(&apis.classes, class).await;
    let late = || json!({"storageClassName": "late"});
    let mut only = volume("only", "1Gi");
    only["spec"]["storageClassName"] = json!("late");
    create(&apis.volumes, only).await;
    let free = |volumes: &[Arc<PersistentVolume>]| volume_phase(volumes, "only") == "Available";
    cluster.until(&apis.volumes, free).await.unwrap();
    for name in ["a", "b"] {
        create(&apis.claims, claim(name, late())).await;
        create(&apis.pods, pod(name, uses(name))).await;
    }
    let one = |pods: &[Arc<Pod>]| {
        pods.iter()
            .any(|it| it.spec.clone().unwrap().node_name.is_some())
    };
    cluster.until(&apis.pods, one).await.unwrap();
    let message =
        "0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind.";
    let told = |events: &[Arc<Event>]| says(events, "FailedScheduling", message);
    cluster.until(&apis.events, told).await.unwrap();

    let mut another = volume("another", "1Gi");
    another["spec"]["storageClassName"] = json!("late");
    create(&apis.volumes, another).await;
    let both = |pods: &[Arc<Pod>]| {
        pods.iter()
            .all(|it| it.spec.clone().unwrap().node_name.is_some())
    };
    cluster.until(&apis.pods, both).await.unwrap();
    let bound = |claims: &[Arc<PersistentVolumeClaim>]| {
        ["a", "b"]
            .iter()
            .all(|name| claim_phase(claims, name) == "Bound")
    };
    cluster.until(&apis.claims, bound).await.unwrap();
    cluster.stop().await;
}

#[tokio::test]
async fn an_ephemeral_volume_has_a_claim_of_the_pods_own() {
    let cluster = builder()
        .scheduler()
        .hollow_nodes(1)
        .local_path()
        .start()
        .await
        .unwrap();
    let apis = Apis::of(&cluster);
    let installed = |classes: &[Arc<StorageClass>]| !classes.is_empty();
    cluster.until(&apis.classes, installed).await.unwrap();
    create(
        &apis.claims,
        claim("other-tmp", json!({"storageClassName": ""})),
    )
    .await;
    let template = json!({"spec": claim("", json!({}))["spec"]});
    let tmp = json!({"name": "tmp", "ephemeral": {"volumeClaimTemplate": template}});
    for name in ["own", "other"] {
        create(&apis.pods, pod(name, tmp.clone())).await;
    }
    let placed = |pods: &[Arc<Pod>]| node_of(pods, "own").is_some();
    cluster.until(&apis.pods, placed).await.unwrap();
    let message = "ephemeral volume tmp: PVC default/other-tmp was not created for pod default/other (pod is not owner)";
    let told = |events: &[Arc<Event>]| says(events, "FailedBinding", message);
    cluster.until(&apis.events, told).await.unwrap();
    apis.pods
        .delete("own", &DeleteParams::default().grace_period(0))
        .await
        .unwrap();
    let gone = |claims: &[Arc<PersistentVolumeClaim>]| claim_phase(claims, "own-tmp").is_empty();
    cluster.until(&apis.claims, gone).await.unwrap();
    cluster.stop().await;
}

#[tokio::test]
async fn a_drivers_volume_is_attached_while_pods_use_it() {
    let cluster = builder()
        .controllers(["persistentvolume-attach-detach"])
        .scheduler()
        .hollow_nodes(2)
        .start()
        .await
        .unwrap();
    let apis = Apis::of(&cluster);
    let attachments: Api<VolumeAttachment> = Api::all(cluster.client());
    let nodes: Api<Node> = Api::all(cluster.client());
    for (name, driver) in [("remote", "csi.example.com"), ("near", "near.example.com")] {
        let mut volume = volume(name, "1Gi");
        volume["spec"].as_object_mut().unwrap().remove("hostPath");
        volume["spec"]["csi"] = json!({"driver": driver, "volumeHandle": name});
        create(&apis.volumes, volume).await;
        create(&apis.claims, claim(name, json!({"volumeName": name}))).await;
    }
    let drivers: Api<CSIDriver> = Api::all(cluster.client());
    let near = json!({"metadata": {"name": "near.example.com"}, "spec": {"attachRequired": false}});
    create(&drivers, near).await;
    let bound = |claims: &[Arc<PersistentVolumeClaim>]| {
        ["remote", "near"]
            .iter()
            .all(|name| claim_phase(claims, name) == "Bound")
    };
    cluster.until(&apis.claims, bound).await.unwrap();
    let mut user = pod("user", uses("remote"));
    let mut second = uses("near");
    second["name"] = json!("near");
    user["spec"]["volumes"].as_array_mut().unwrap().push(second);
    create(&apis.pods, user).await;

    let one = |all: &[Arc<VolumeAttachment>]| all.len() == 1;
    let made = cluster.until(&attachments, one).await.unwrap();
    let name = made[0].metadata.name.clone().unwrap();
    assert_eq!(made[0].spec.attacher, "csi.example.com");
    // The part of the driver's attacher.
    let attached = Patch::Merge(json!({"status": {"attached": true}}));
    attachments
        .patch_status(&name, &PatchParams::default(), &attached)
        .await
        .unwrap();
    let listed = |nodes: &[Arc<Node>]| {
        let lists = nodes
            .iter()
            .filter_map(|node| node.status.clone()?.volumes_attached);
        let names: Vec<_> = lists.flatten().map(|volume| volume.name).collect();
        names == ["kubernetes.io/csi/csi.example.com^remote"]
    };
    cluster.until(&nodes, listed).await.unwrap();
    let told = |events: &[Arc<Event>]| {
        says(
            events,
            "SuccessfulAttachVolume",
            "AttachVolume.Attach succeeded for volume \"remote\"",
        )
    };
    cluster.until(&apis.events, told).await.unwrap();

    apis.pods
        .delete("user", &DeleteParams::default().grace_period(0))
        .await
        .unwrap();
    let none = |all: &[Arc<VolumeAttachment>]| all.is_empty();
    cluster.until(&attachments, none).await.unwrap();
    let unlisted = |nodes: &[Arc<Node>]| {
        let mut lists = nodes
            .iter()
            .filter_map(|node| node.status.clone()?.volumes_attached);
        lists.all(|list| list.is_empty())
    };
    cluster.until(&nodes, unlisted).await.unwrap();
    cluster.stop().await;
}
