use k8s_apiserver::{ApiServer, User};
use k8s_store::memory::MemoryStore;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

use super::*;

struct World {
    _server: ApiServer,
    secrets: Api<Secret>,
    followed: Followed<Secret>,
}

impl World {
    async fn new() -> Self {
        let server = ApiServer::builder(Arc::new(MemoryStore::new()))
            .advertise([192, 0, 2, 1].into(), 6443)
            .build()
            .await
            .unwrap();
        let client = server.client(User::new("admin").in_group("system:masters"));
        Self {
            _server: server,
            secrets: Api::namespaced(client.clone(), "default"),
            followed: Followed::new(client),
        }
    }

    async fn create(&self, text: &str, immutable: bool) -> Secret {
        let secret = secret(
            json!({ "metadata": { "name": "s" }, "stringData": { "key": text },
            "immutable": immutable }),
        );
        let created = self.secrets.create(&PostParams::default(), &secret).await;
        created.unwrap()
    }

    async fn text(&self) -> String {
        let secret = self.followed.get("default", "s").await.unwrap();
        let data = secret.data.as_ref().unwrap();
        String::from_utf8(data["key"].0.clone()).unwrap()
    }
}

fn secret(value: Value) -> Secret {
    serde_json::from_value(value).unwrap()
}

#[tokio::test]
async fn what_nobody_follows_is_read_as_it_is() {
    let world = World::new().await;
    let error = world.followed.get("default", "s").await.unwrap_err();
    assert_eq!(error.to_string(), "secret \"s\" not found");
    world.create("one", false).await;
    assert_eq!(world.text().await, "one");
    assert_eq!(world.followed.watches().len(), 1, "the first one is gone");
}

#[tokio::test]
async fn a_change_wakes_those_who_share_the_watch() {
    let world = World::new().await;
    let key = Key::new("default", "s");
    let (first, second) = (
        world.followed.follow(key.clone()),
        world.followed.follow(key),
    );
    assert!(Arc::ptr_eq(&first, &second));
    let (mut one, mut other) = (first.changes(), second.changes());
    let mut object = world.create("one", false).await;
    for changes in [&mut one, &mut other] {
        changes.next().await.unwrap();
    }
    assert_eq!(world.text().await, "one");

    object.string_data = Some([("key".to_owned(), "two".to_owned())].into());
    let params = PostParams::default();
    world.secrets.replace("s", &params, &object).await.unwrap();
    for changes in [&mut one, &mut other] {
        changes.next().await.unwrap();
    }
    assert_eq!(world.text().await, "two");
}

#[tokio::test]
async fn an_immutable_object_is_read_once() {
    let world = World::new().await;
    world.create("one", true).await;
    let held = world.followed.follow(Key::new("default", "s"));
    // The stream ends with the watch.
    assert_eq!(held.changes().count().await, 1);
    let params = DeleteParams::default();
    world.secrets.delete("s", &params).await.unwrap();
    world.create("two", true).await;
    assert_eq!(world.text().await, "one");
    drop(held);
    assert_eq!(world.text().await, "two");
}
