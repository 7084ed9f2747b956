//! Service accounts: every active namespace has one named `default`, so that pods which name none
//! have an identity.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_runtime::{Action, Context, Controller, Event, Key, Store};
use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};

use crate::namespace;

const NAME: &str = "default";

/// Runs the controller until the context is cancelled.
pub async fn run(ctx: Context) {
    let namespaces = ctx.hub.informer::<Namespace>();
    let accounts = ctx.hub.informer::<ServiceAccount>();
    let stores = Arc::new((namespaces.store(), accounts.store()));
    Controller::new("service-account", ctx.clone())
        .owns_keys(&namespaces)
        .on(&accounts, of_account)
        .run(4, move |key| {
            let (ctx, stores) = (ctx.clone(), stores.clone());
            async move { reconcile(&ctx, &stores.0, &stores.1, key).await }
        })
        .await;
}

/// Only the loss of a default account is a concern.
fn of_account(event: &Event<ServiceAccount>) -> Vec<Key> {
    match event {
        Event::Deleted(account) if account.metadata.name.as_deref() == Some(NAME) => {
            let namespace = account.metadata.namespace.clone();
            vec![Key::cluster(namespace.unwrap_or_default())]
        }
        _ => Vec::new(),
    }
}

async fn reconcile(
    ctx: &Context,
    namespaces: &Store<Namespace>,
    accounts: &Store<ServiceAccount>,
    key: Key,
) -> Result<Action, kube::Error> {
    let is_active = namespaces
        .get(&key)
        .is_some_and(|found| namespace::is_active(&found));
    if !is_active || accounts.get(&Key::new(&key.name, NAME)).is_some() {
        return Ok(Action::Done);
    }
    let account = ServiceAccount {
        metadata: ObjectMeta {
            name: Some(NAME.into()),
            namespace: Some(key.name.clone()),
            ..ObjectMeta::default()
        },
        ..ServiceAccount::default()
    };
    let api: Api<ServiceAccount> = Api::namespaced(ctx.client.clone(), &key.name);
    match api.create(&PostParams::default(), &account).await {
        Err(error) if namespace::refuses_content(&error) => Ok(Action::Done),
        other => other.map(|_| Action::Done),
    }
}
