//! Objects that pods refer to by name, each watched once: from the first pod that refers to it to the
//! last.
//!
//! A watch that names one object is what a node may have of secrets that its pods refer to, and no
//! more. Ten pods that mount one secret cost one watch; a change reaches all of them at once. An
//! immutable object's watch ends with its first state.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use futures::{Stream, StreamExt};
use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{ConfigMap, Secret},
};
use k8s_runtime::{Informer, Key, Object, WatchConfig};
use kube::{Api, Client, Resource};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::SourceError;

/// How long a reader waits for the first state; then it is the pod's turn to try again.
const FIRST_STATE: Duration = Duration::from_secs(1);

/// A kind of object that pods refer to.
pub(super) trait Named:
    Object + Resource<DynamicType = (), Scope = NamespaceResourceScope>
{
    /// As messages name it, such as `configmap`.
    const NAME: &'static str;

    /// Whether it promises never to change.
    fn is_immutable(&self) -> bool;
}

impl Named for ConfigMap {
    const NAME: &'static str = "configmap";

    fn is_immutable(&self) -> bool {
        self.immutable == Some(true)
    }
}

impl Named for Secret {
    const NAME: &'static str = "secret";

    fn is_immutable(&self) -> bool {
        self.immutable == Some(true)
    }
}

/// An item for each change of an object.
pub(super) type Changes = Pin<Box<dyn Stream<Item = ()> + Send + Sync>>;

/// The objects of one kind that are followed now.
pub(super) struct Followed<K> {
    client: Client,
    watches: Mutex<HashMap<Key, Weak<Watch<K>>>>,
}

/// One object's watch, which ends with the last that holds it.
pub(super) struct Watch<K> {
    key: Key,
    informer: Informer<K>,
    _task: AbortOnDropHandle<()>,
}

impl<K: Named> Followed<K> {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            watches: Mutex::default(),
        }
    }

    /// Joins the object's watch, or starts it.
    pub(super) fn follow(&self, key: Key) -> Arc<Watch<K>> {
        let mut watches = self.watches();
        if let Some(watch) = watches.get(&key).and_then(Weak::upgrade) {
            return watch;
        }
        watches.retain(|_, watch| watch.strong_count() > 0);
        let watch = Arc::new(Watch::start(self.client.clone(), key.clone()));
        watches.insert(key, Arc::downgrade(&watch));
        watch
    }

    /// The object's newest state that is known, or its first one. What nobody follows is followed
    /// for as long as this takes.
    pub(super) async fn get(&self, namespace: &str, name: &str) -> Result<Arc<K>, SourceError> {
        self.follow(Key::new(namespace, name)).get().await
    }

    fn watches(&self) -> MutexGuard<'_, HashMap<Key, Weak<Watch<K>>>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Named> Watch<K> {
    fn start(client: Client, key: Key) -> Self {
        let api: Api<K> = Api::namespaced(client, &key.namespace);
        let config = WatchConfig::default().fields(format!("metadata.name={}", key.name));
        let informer = Informer::with_config(api, config);
        Self {
            key,
            _task: AbortOnDropHandle::new(tokio::spawn(run(informer.clone()))),
            informer,
        }
    }

    async fn get(&self) -> Result<Arc<K>, SourceError> {
        let synced = tokio::time::timeout(FIRST_STATE, self.informer.synced()).await;
        if synced.is_err() {
            let message = "cache: timed out waiting for the condition";
            return Err(SourceError::Api(format!(
                "failed to sync {} {message}",
                K::NAME
            )));
        }
        let object = self.informer.store().get(&self.key);
        object.ok_or_else(|| SourceError::NotFound {
            kind: K::NAME,
            name: self.key.name.clone(),
        })
    }

    /// An item for each change, and one for the first state.
    pub(super) fn changes(&self) -> Changes {
        Box::pin(self.informer.subscribe().map(drop))
    }
}

/// Feeds the informer until the object says that it won't change.
async fn run<K: Named>(informer: Informer<K>) {
    let cancel = CancellationToken::new();
    let mut changes = informer.subscribe();
    let watch = async {
        while let Some(change) = changes.next().await {
            if change.object().is_immutable() {
                cancel.cancel();
            }
        }
    };
    tokio::join!(informer.run(cancel.clone()), watch);
}
