//! Config maps, secrets, services and tokens that pods refer to.

use std::sync::Arc;

use futures::{StreamExt, stream::SelectAll};
use k8s_openapi::api::{
    authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec},
    core::v1::{ConfigMap, Pod, Secret, Service, ServiceAccount},
};
use k8s_runtime::{Context, Key, Store};
use kube::{Api, Client, api::PostParams};

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
    client: Client,
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
            client: ctx.client.clone(),
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

    /// A token for the pod's service account, bound to the pod.
    pub async fn token(
        &self,
        pod: &Pod,
        audience: Option<&str>,
        expiration_seconds: Option<i64>,
    ) -> Result<String, SourceError> {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let account = pod
            .spec
            .as_ref()
            .and_then(|spec| spec.service_account_name.as_deref());
        let account = account.filter(|name| !name.is_empty()).unwrap_or("default");
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        let request = TokenRequest {
            spec: Some(TokenRequestSpec {
                audiences: Some(audience.map(str::to_owned).into_iter().collect()),
                expiration_seconds: Some(expiration_seconds.unwrap_or(3600)),
                bound_object_ref: Some(BoundObjectReference {
                    api_version: Some("v1".into()),
                    kind: Some("Pod".into()),
                    name: pod.metadata.name.clone(),
                    uid: pod.metadata.uid.clone(),
                }),
                ..TokenRequestSpec::default()
            }),
            ..TokenRequest::default()
        };
        let answer = api
            .create_token_request(account, &PostParams::default(), &request)
            .await;
        let answer = answer.map_err(|error| SourceError::Api(error.to_string()))?;
        Ok(answer
            .status
            .and_then(|status| status.token)
            .unwrap_or_default())
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
