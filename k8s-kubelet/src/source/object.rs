//! Config maps, secrets and services that pods refer to.
//!
//! Config maps and secrets are read when a container needs them, one by one, so the agent needs no
//! right to list them and never starts a container from a stale cache.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_runtime::{Context, Store};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

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
    client: Client,
    services: Option<Store<Service>>,
}

impl Objects {
    /// Reads as the context's client; services come from its shared stores.
    pub fn new(ctx: &Context) -> Self {
        Self {
            client: ctx.client.clone(),
            services: Some(ctx.hub.informer::<Service>().store()),
        }
    }

    /// Reads through a client, without services.
    pub fn without_services(client: Client) -> Self {
        Self {
            client,
            services: None,
        }
    }

    /// The services of a namespace.
    pub fn services(&self, namespace: &str) -> Vec<Arc<Service>> {
        let store = self.services.as_ref();
        store
            .map(|store| store.list_in(namespace))
            .unwrap_or_default()
    }

    /// A config map.
    pub async fn config_map(&self, namespace: &str, name: &str) -> Result<ConfigMap, SourceError> {
        self.get("configmap", namespace, name).await
    }

    /// A secret.
    pub async fn secret(&self, namespace: &str, name: &str) -> Result<Secret, SourceError> {
        self.get("secret", namespace, name).await
    }

    async fn get<K>(
        &self,
        kind: &'static str,
        namespace: &str,
        name: &str,
    ) -> Result<K, SourceError>
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        match api.get_opt(name).await {
            Ok(Some(object)) => Ok(object),
            Ok(None) => Err(SourceError::NotFound {
                kind,
                name: name.to_owned(),
            }),
            Err(error) => Err(SourceError::Api(error.to_string())),
        }
    }
}
