//! What the parts in front of the registry read from it: roles for authorization, accounts for
//! authentication, nodes for relays.
//!
//! They are made before the registry is, so they hold a place for it; weakly, since the registry
//! holds them.

use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use k8s_apimachinery::{Object, Value};
use k8s_openapi::api::{
    core::v1::{Node, Pod},
    discovery::v1::EndpointSlice,
};

use crate::{
    ApiError, Request, RequestInfo, Response, User,
    authn::service_account::CoreObjects,
    authz::{node::NodeObjects, rbac::Objects, review::Reviewer},
    flow::{Census, Stock},
    handler::connect::{NodeEndpoint, NodeLocator, Relay, address_of},
    registry::{Connector, Registry, Stored, Virtual, key},
};

/// A place for the registry. Until it is filled there are no roles and no nodes.
#[derive(Clone, Default)]
pub(crate) struct Live(Arc<OnceLock<Weak<Registry>>>);

impl Live {
    /// Fills the place, once.
    pub(crate) fn set(&self, registry: &Arc<Registry>) {
        let filled = self.0.set(Arc::downgrade(registry));
        debug_assert!(filled.is_ok(), "a server has one registry");
    }

    fn registry(&self) -> Option<Arc<Registry>> {
        self.0.get()?.upgrade()
    }
}

const RBAC: &str = "rbac.authorization.k8s.io";

impl Objects for Live {
    type Shared = Stored;

    fn list(&self, resource: &str, namespace: &str) -> Vec<Arc<Stored>> {
        self.registry().map_or_else(Vec::new, |registry| {
            registry.list(RBAC, resource, namespace)
        })
    }

    fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Arc<Stored>> {
        self.registry()?.get(RBAC, resource, namespace, name)
    }

    fn tree(&self, object: &Stored) -> Value {
        object.entry.object().into_value()
    }
}

impl CoreObjects for Live {
    fn object(&self, resource: &str, namespace: &str, name: &str) -> Option<Object> {
        let stored = self.registry()?.get("", resource, namespace, name)?;
        Some(stored.entry.object())
    }
}

impl NodeObjects for Live {
    fn pods_on(&self, namespace: &str, node: &str) -> Vec<Object> {
        let Some(registry) = self.registry() else {
            return Vec::new();
        };
        let pods = registry.list("", "pods", namespace);
        let bound = |pod: &&Arc<Stored>| pod.entry.field("spec.nodeName") == Some(node);
        let bound = pods.iter().filter(bound);
        bound.map(|pod| pod.entry.object()).collect()
    }

    fn get(&self, group: &str, resource: &str, namespace: &str, name: &str) -> Option<Object> {
        let stored = self.registry()?.get(group, resource, namespace, name)?;
        Some(stored.entry.object())
    }

    fn volumes(&self) -> Vec<Object> {
        let volumes = self
            .registry()
            .map(|registry| registry.list("", "persistentvolumes", ""));
        let volumes = volumes.unwrap_or_default();
        volumes.iter().map(|each| each.entry.object()).collect()
    }
}

/// From how many objects the size of all is guessed.
const SAMPLE: usize = 16;

impl Census for Live {
    fn stock(&self, group: &str, resource: &str) -> Option<Stock> {
        let registry = self.registry()?;
        let resource = registry.resource(group, resource)?;
        let prefix = key::collection(&resource.row, "");
        let cache = registry.cache();
        let (sample, ..) = cache.list(&prefix, None, Some(SAMPLE), &|_| true);
        let bytes: usize = sample.iter().map(|each| each.entry.size_hint()).sum();
        Some(Stock {
            count: cache.count(&prefix),
            bytes_each: bytes.div_ceil(sample.len().max(1)),
        })
    }
}

#[async_trait]
impl NodeLocator for Live {
    async fn locate(&self, node: &str) -> Option<NodeEndpoint> {
        let stored = self.registry()?.get("", "nodes", "", node)?;
        let node: Node = stored.entry.object().view().ok()?;
        address_of(&node).map(NodeEndpoint::Address)
    }

    fn slices(&self, namespace: &str, service: &str) -> Vec<EndpointSlice> {
        let Some(registry) = self.registry() else {
            return Vec::new();
        };
        let slices = registry.list("discovery.k8s.io", "endpointslices", namespace);
        let slices = slices.iter().map(|stored| stored.entry.object());
        slices
            .filter(|slice| slice.label("kubernetes.io/service-name") == Some(service))
            .filter_map(|slice| slice.view().ok())
            .collect()
    }

    fn pod(&self, namespace: &str, name: &str) -> Option<Pod> {
        let stored = self.registry()?.get("", "pods", namespace, name)?;
        stored.entry.object().view().ok()
    }
}

#[async_trait]
impl Connector for Relay {
    async fn connect(&self, request: Request, object: &Object, subresource: &str) -> Response {
        let answer = match subresource {
            "proxy" => self.proxy(object, request).await,
            _ => match object.view::<Pod>() {
                Ok(pod) => self.pod(&pod, request).await,
                Err(error) => Err(ApiError::internal(error)),
            },
        };
        answer.unwrap_or_else(ApiError::into_response)
    }
}

#[async_trait]
impl Virtual for Reviewer {
    async fn create(
        &self,
        _registry: &Registry,
        user: &User,
        info: &RequestInfo,
        object: Object,
    ) -> Result<Object, ApiError> {
        let review = object.as_map().clone();
        match self
            .answer(&info.resource, &info.namespace, user, review)
            .await
        {
            Some(answered) => answered.map(Object::from),
            None => Err(ApiError::NoSuchResource),
        }
    }
}
