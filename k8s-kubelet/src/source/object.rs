//! Config maps, secrets and services that pods refer to.

use std::sync::Arc;

use futures::{StreamExt, stream::SelectAll};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use k8s_runtime::{Context, Key, Store};

use super::{
    followed::{Changes, Followed, Watch},
    reference::References,
};

/// An object that can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// It doesn't exist; in Kubernetes' words.
    #[error("{kind} \"{name}\" not found")]
    NotFound {
        /// Such as `configmap`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// The API failed.
    #[error("{0}")]
    Api(String),
}

/// Access to the objects that pods refer to. Cheap to clone.
#[derive(Clone)]
pub struct Objects {
    services: Store<Service>,
    config_maps: Arc<Followed<ConfigMap>>,
    secrets: Arc<Followed<Secret>>,
}

/// What one pod refers to, watched for as long as this lives.
#[derive(Default)]
pub struct Following {
    references: References,
    _config_maps: Vec<Arc<Watch<ConfigMap>>>,
    _secrets: Vec<Arc<Watch<Secret>>>,
    changes: SelectAll<Changes>,
}

impl Objects {
    /// Reads as the context's client; services come from its shared stores.
    pub fn new(ctx: &Context) -> Self {
        Self {
            services: ctx.hub.informer::<Service>().store(),
            config_maps: Arc::new(Followed::new(ctx.client.clone())),
            secrets: Arc::new(Followed::new(ctx.client.clone())),
        }
    }

    /// The services of a namespace.
    pub fn services(&self, namespace: &str) -> Vec<Arc<Service>> {
        self.services.list_in(namespace)
    }

    /// A config map, no older than the pod's last look at it.
    pub async fn config_map(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Arc<ConfigMap>, SourceError> {
        self.config_maps.get(namespace, name).await
    }

    /// A secret, no older than the pod's last look at it.
    pub async fn secret(&self, namespace: &str, name: &str) -> Result<Arc<Secret>, SourceError> {
        self.secrets.get(namespace, name).await
    }

    /// Follows what the pod refers to now, in place of what it referred to before.
    pub fn follow(&self, pod: &Pod, following: &mut Following) {
        let references = pod.spec.as_ref().map(References::of_pod);
        let references = references.unwrap_or_default();
        if references == following.references {
            return;
        }
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let key = |name: &String| Key::new(namespace, name);
        let config_maps = references.config_maps.iter().map(key);
        let config_maps: Vec<_> = config_maps
            .map(|key| self.config_maps.follow(key))
            .collect();
        let secrets = references.secrets.iter().map(key);
        let secrets: Vec<_> = secrets.map(|key| self.secrets.follow(key)).collect();
        let changes = config_maps.iter().map(|watch| watch.changes());
        let changes = changes.chain(secrets.iter().map(|watch| watch.changes()));
        *following = Following {
            changes: changes.collect(),
            references,
            _config_maps: config_maps,
            _secrets: secrets,
        };
    }
}

impl Following {
    /// Waits until anything that the pod refers to has changed, or shows its first state.
    pub async fn changed(&mut self) {
        if self.changes.next().await.is_none() {
            std::future::pending().await
        }
    }
}
