//! What programs on kube-rs do, with its own client over TLS.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Namespace, Pod},
};
use kube::{
    Api, Client, Config, ResourceExt,
    api::{
        AttachParams, DeleteParams, EvictParams, ListParams, LogParams, Patch, PatchParams,
        PostParams,
    },
    config::{KubeConfigOptions, Kubeconfig},
    core::metadata::PartialObjectMeta,
    runtime::{
        WatchStreamExt,
        conditions::{is_deleted, is_pod_running},
        reflector,
        wait::await_condition,
        watcher,
    },
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const NAMESPACE: &str = "kube-rs";

/// Runs the program to its end.
pub(super) fn run(kubeconfig: &Path) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
        let client = Client::try_from(config)?;
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let namespace = from(json!({ "metadata": { "name": NAMESPACE } }))?;
        namespaces
            .create(&PostParams::default(), &namespace)
            .await?;
        pods(&client).await.context("pods")?;
        owners(&client).await.context("apply")?;
        caches(&client).await.context("caches")?;
        scale(&client).await.context("scale")?;
        namespaces
            .delete(NAMESPACE, &DeleteParams::default())
            .await?;
        Ok(())
    })
}

fn from<T: serde::de::DeserializeOwned>(value: Value) -> Result<T> {
    Ok(serde_json::from_value(value)?)
}

fn pod_template() -> Value {
    json!({
        "metadata": { "labels": { "app": "web" } },
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{ "name": "web", "image": "localhost/kuard:blue" }],
        },
    })
}

/// A pod is created, awaited, entered, reached, read, evicted.
async fn pods(client: &Client) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let mut pod = pod_template();
    pod["metadata"]["name"] = "web".into();
    let pod: Pod = from(pod)?;
    let created = pods.create(&PostParams::default(), &pod).await?;
    let again = pods.create(&PostParams::default(), &pod).await;
    ensure!(
        matches!(&again, Err(kube::Error::Api(status)) if status.is_already_exists()),
        "{again:?}"
    );
    await_condition(pods.clone(), "web", is_pod_running()).await?;
    let mut inside = pods
        .exec("web", ["/kuard", "env"], &AttachParams::default())
        .await?;
    let mut said = String::new();
    let mut stdout = inside.stdout().context("it has an output")?;
    stdout.read_to_string(&mut said).await?;
    ensure!(said.contains("KUARD_COLOUR=blue"), "exec: {said}");
    let ended = inside.take_status().context("it ends")?.await;
    let ended = ended.context("it says how")?.status;
    ensure!(ended.as_deref() == Some("Success"), "exec: {ended:?}");
    let mut forward = pods.portforward("web", &[8080]).await?;
    let mut stream = forward
        .take_stream(8080)
        .context("the port was asked for")?;
    let request = b"GET /healthy HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "port forward: {answer}");
    pods.logs("web", &LogParams::default()).await?;
    pods.evict("web", &EvictParams::default()).await?;
    let uid = created.uid().context("it was created")?;
    await_condition(pods, "web", is_deleted(&uid)).await?;
    Ok(())
}

/// Two managers of one object: the second is told whose field it is, unless it insists.
async fn owners(client: &Client) -> Result<()> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    let map = |who: &str| {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": "owned" },
            "data": { "who": who },
        })
    };
    let (us, them) = (PatchParams::apply("us"), PatchParams::apply("them"));
    maps.patch("owned", &us, &Patch::Apply(map("us"))).await?;
    let refused = maps.patch("owned", &them, &Patch::Apply(map("them"))).await;
    let Err(kube::Error::Api(status)) = refused else {
        anyhow::bail!("an owner was overruled");
    };
    let conflict = "conflict with \"us\": .data.who";
    ensure!(status.message.contains(conflict), "{}", status.message);
    let insisting = them.force();
    let map = maps
        .patch("owned", &insisting, &Patch::Apply(map("them")))
        .await?;
    let data = map.data.context("it has data")?;
    ensure!(data["who"] == "them", "{data:?}");
    let entry = maps.entry("owned").await?.and_modify(|map| {
        map.labels_mut().insert("kept".into(), "yes".into());
    });
    let mut entry = entry.or_insert(ConfigMap::default);
    entry.commit(&PostParams::default()).await?;
    Ok(())
}

/// Caches fill from a list in pages, from a list as a stream, and from metadata alone, and follow.
async fn caches(client: &Client) -> Result<()> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    for number in 0..25 {
        let map = json!({
            "metadata": { "name": format!("item-{number}"), "labels": { "of": "many" } },
            "data": { "number": number.to_string() },
        });
        maps.create(&PostParams::default(), &from(map)?).await?;
    }
    let mut page = ListParams::default().labels("of=many").limit(10);
    let mut seen = 0;
    loop {
        let list = maps.list(&page).await?;
        seen += list.items.len();
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => break,
        }
    }
    ensure!(seen == 25, "{seen} in pages");
    let config = watcher::Config::default().labels("of=many");
    let (pages, stream) = (
        config.clone().page_size(10),
        config.clone().streaming_lists(),
    );
    for (how, config) in [("pages", pages), ("stream", stream)] {
        let (store, writer) = reflector::store::<ConfigMap>();
        let mut changes = reflector(writer, watcher(maps.clone(), config))
            .applied_objects()
            .boxed();
        for _ in 0..25 {
            changes.try_next().await?.context("the watch goes on")?;
        }
        let patch = json!({ "data": { "number": how } });
        let by = PatchParams::default();
        maps.patch("item-7", &by, &Patch::Merge(patch)).await?;
        let changed = changes.try_next().await?.context("the watch goes on")?;
        ensure!(changed.name_any() == "item-7", "{}", changed.name_any());
        // The store shows a list once all of it has come.
        ensure!(store.state().len() == 25, "{} cached", store.state().len());
    }
    let metadata: Api<PartialObjectMeta<ConfigMap>> = Api::namespaced(client.clone(), NAMESPACE);
    let mut metadata = watcher(metadata, config).applied_objects().boxed();
    let first = metadata.try_next().await?.context("the watch goes on")?;
    ensure!(first.labels().contains_key("of"), "{first:?}");
    let many = ListParams::default().labels("of=many");
    maps.delete_collection(&DeleteParams::default(), &many)
        .await?;
    ensure!(maps.list_metadata(&many).await?.items.is_empty());
    Ok(())
}

/// A deployment follows its scale.
async fn scale(client: &Client) -> Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), NAMESPACE);
    let deployment = json!({
        "metadata": { "name": "web" },
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": { "app": "web" } },
            "template": pod_template(),
        },
    });
    deployments
        .create(&PostParams::default(), &from(deployment)?)
        .await?;
    let wanted = json!({ "spec": { "replicas": 2 } });
    let by = PatchParams::default();
    deployments
        .patch_scale("web", &by, &Patch::Merge(wanted))
        .await?;
    let is_ready = |deployment: Option<&Deployment>| {
        let status = deployment.and_then(|deployment| deployment.status.as_ref());
        status.and_then(|status| status.ready_replicas) == Some(2)
    };
    await_condition(deployments.clone(), "web", is_ready).await?;
    let scale = deployments.get_scale("web").await?;
    let status = scale.status.context("it has a status")?;
    ensure!(status.replicas == 2, "{status:?}");
    Ok(())
}
