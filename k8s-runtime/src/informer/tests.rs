use std::time::Duration;

use futures::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::*;
use crate::testing::FakeApi;

const COLLECTION: &str = "/api/v1/namespaces/default/configmaps";

struct Setup {
    api: FakeApi,
    client: kube::Client,
    informer: Informer<ConfigMap>,
    cancel: CancellationToken,
    tasks: JoinSet<()>,
}

fn setup() -> Setup {
    let api = FakeApi::new();
    let client = api.client();
    let informer = Informer::new(Api::all(client.clone()));
    let (running, cancel) = (informer.clone(), CancellationToken::new());
    let mut tasks = JoinSet::new();
    let token = cancel.clone();
    tasks.spawn(async move { running.run(token).await });
    Setup {
        api,
        client,
        informer,
        cancel,
        tasks,
    }
}

impl Setup {
    fn configs(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), "default")
    }

    fn create(&self, name: &str, value: &str) {
        self.api.put_new(COLLECTION, &config(name, value));
    }

    async fn set(&self, name: &str, value: &str) {
        let change = kube::api::Patch::Merge(json!({"data": {"v": value}}));
        let params = kube::api::PatchParams::default();
        self.configs().patch(name, &params, &change).await.unwrap();
    }

    async fn delete(&self, name: &str) {
        let params = kube::api::DeleteParams::default();
        self.configs().delete(name, &params).await.unwrap();
    }
}

fn config(name: &str, value: &str) -> Value {
    json!({"metadata": {"name": name, "managedFields": [{"manager": "m"}]}, "data": {"v": value}})
}

/// `+a=1` added, `~a=1>2` updated, `-a=2` deleted.
fn show(event: &Event<ConfigMap>) -> String {
    let name = |c: &ConfigMap| c.metadata.name.clone().unwrap();
    let value = |c: &ConfigMap| c.data.as_ref().unwrap()["v"].clone();
    match event {
        Event::Added(c) => format!("+{}={}", name(c), value(c)),
        Event::Updated { old, new } => format!("~{}={}>{}", name(new), value(old), value(new)),
        Event::Deleted(c) => format!("-{}={}", name(c), value(c)),
    }
}

/// All events that are there once everything has come to rest.
async fn drain(events: &mut Subscription<ConfigMap>) -> Vec<String> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut seen = Vec::new();
    while let Some(Some(event)) = events.next().now_or_never() {
        seen.push(show(&event));
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_first_hears_what_exists_then_what_changes() {
    let setup = setup();
    setup.create("a", "1");
    setup.informer.synced().await;
    let mut events = setup.informer.subscribe();
    assert_eq!(drain(&mut events).await, ["+a=1"]);
    setup.create("b", "1");
    setup.set("a", "2").await;
    assert_eq!(drain(&mut events).await, ["+b=1", "~a=1>2"]);
    setup.delete("b").await;
    assert_eq!(drain(&mut events).await, ["-b=1"]);
    assert_eq!(setup.informer.store().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn changes_that_nobody_took_are_folded() {
    let setup = setup();
    setup.create("a", "1");
    setup.informer.synced().await;
    let mut events = setup.informer.subscribe();
    drain(&mut events).await;
    for value in ["2", "3", "4"] {
        setup.set("a", value).await;
    }
    setup.create("brief", "1");
    setup.delete("brief").await;
    assert_eq!(drain(&mut events).await, ["~a=1>4", "-brief=1"]);
    setup.set("a", "5").await;
    setup.delete("a").await;
    assert_eq!(drain(&mut events).await, ["-a=5"]);
}

#[tokio::test(start_paused = true)]
async fn a_successor_of_the_same_name_is_another_object() {
    let setup = setup();
    setup.create("a", "1");
    setup.informer.synced().await;
    let mut events = setup.informer.subscribe();
    drain(&mut events).await;
    setup.delete("a").await;
    setup.create("a", "2");
    assert_eq!(drain(&mut events).await, ["-a=1", "+a=2"]);
}

#[tokio::test(start_paused = true)]
async fn after_an_expired_revision_only_differences_are_told() {
    let setup = setup();
    setup.create("gone", "1");
    setup.create("kept", "1");
    setup.create("changed", "1");
    setup.informer.synced().await;
    let mut events = setup.informer.subscribe();
    drain(&mut events).await;
    // The history is forgotten: only a new list can tell what happened meanwhile.
    let configs = setup.configs();
    let params = kube::api::DeleteParams::default();
    configs.delete("gone", &params).await.unwrap();
    setup.set("changed", "2").await;
    setup.create("new", "1");
    setup.api.compact();
    assert_eq!(
        drain(&mut events).await,
        ["-gone=1", "~changed=1>2", "+new=1"]
    );
}

#[tokio::test(start_paused = true)]
async fn the_store_knows_the_revision_that_it_shows() {
    let setup = setup();
    setup.create("a", "1");
    setup.informer.synced().await;
    assert_eq!(setup.informer.store().revision(), 1);
    setup.set("a", "2").await;
    setup.delete("a").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(setup.informer.store().revision(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_failing_api_is_tried_again() {
    let setup = setup();
    setup.api.fail_next(3);
    setup.create("a", "1");
    setup.informer.synced().await;
    assert_eq!(setup.informer.store().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn managed_fields_are_not_kept() {
    let setup = setup();
    setup.create("a", "1");
    setup.informer.synced().await;
    let stored = setup.informer.store().get(&Key::new("default", "a"));
    assert_eq!(stored.unwrap().metadata.managed_fields, None);
}

#[tokio::test(start_paused = true)]
async fn stopping_ends_subscriptions_and_leaves_nothing_running() {
    let mut setup = setup();
    setup.informer.synced().await;
    let mut events = setup.informer.subscribe();
    setup.cancel.cancel();
    assert!(events.next().await.is_none());
    setup.tasks.join_next().await.unwrap().unwrap();
    assert!(setup.informer.subscribe().next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_idle_informer_asks_for_nothing() {
    let setup = setup();
    setup.informer.synced().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let all = "GET /api/v1/configmaps";
    assert_eq!(setup.api.requests(), [all, all]);
}
