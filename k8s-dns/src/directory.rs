//! Where the zone looks things up: the stores of shared informers, by index, without a copy.

use std::{net::Ipv4Addr, sync::Arc};

use k8s_openapi::api::{
    core::v1::{Namespace, Service},
    discovery::v1::EndpointSlice,
};
use k8s_runtime::{Context, Informer, Key};

const SERVICE_NAME: &str = "kubernetes.io/service-name";
const BY_SERVICE: &str = "dns/service";
const BY_CLUSTER_IP: &str = "dns/clusterIP";
const BY_ENDPOINT_IP: &str = "dns/endpointIP";

/// The cluster as DNS sees it.
pub trait Directory: Send + Sync {
    /// Whether the namespace exists.
    fn has_namespace(&self, name: &str) -> bool;
    /// One service.
    fn service(&self, namespace: &str, name: &str) -> Option<Arc<Service>>;
    /// The endpoint slices of a service.
    fn slices(&self, namespace: &str, service: &str) -> Vec<Arc<EndpointSlice>>;
    /// The service whose cluster IP this is.
    fn service_at(&self, address: Ipv4Addr) -> Option<Arc<Service>>;
    /// The slices that hold an endpoint with this address.
    fn slices_at(&self, address: Ipv4Addr) -> Vec<Arc<EndpointSlice>>;
}

/// The informers of a process.
#[derive(Clone)]
pub(crate) struct Informers {
    namespaces: Informer<Namespace>,
    services: Informer<Service>,
    slices: Informer<EndpointSlice>,
}

impl Informers {
    pub(crate) fn new(ctx: &Context) -> Self {
        let informers = Informers {
            namespaces: ctx.hub.informer(),
            services: ctx.hub.informer(),
            slices: ctx.hub.informer(),
        };
        informers
            .services
            .add_index(BY_CLUSTER_IP, |service: &Service| {
                service
                    .spec
                    .iter()
                    .filter_map(|spec| spec.cluster_ip.clone())
                    .collect()
            });
        informers
            .slices
            .add_index(BY_SERVICE, |slice: &EndpointSlice| {
                let namespace = slice.metadata.namespace.as_deref().unwrap_or_default();
                let labels = slice.metadata.labels.as_ref();
                let service = labels.and_then(|labels| labels.get(SERVICE_NAME));
                service
                    .map(|service| format!("{namespace}/{service}"))
                    .into_iter()
                    .collect()
            });
        informers
            .slices
            .add_index(BY_ENDPOINT_IP, |slice: &EndpointSlice| {
                let endpoints = slice.endpoints.iter().flatten();
                endpoints
                    .flat_map(|endpoint| endpoint.addresses.iter().cloned())
                    .collect()
            });
        informers
    }

    pub(crate) async fn synced(&self) {
        tokio::join!(
            self.namespaces.synced(),
            self.services.synced(),
            self.slices.synced()
        );
    }
}

impl Directory for Informers {
    fn has_namespace(&self, name: &str) -> bool {
        self.namespaces.store().get(&Key::new("", name)).is_some()
    }

    fn service(&self, namespace: &str, name: &str) -> Option<Arc<Service>> {
        self.services.store().get(&Key::new(namespace, name))
    }

    fn slices(&self, namespace: &str, service: &str) -> Vec<Arc<EndpointSlice>> {
        self.slices
            .store()
            .by_index(BY_SERVICE, &format!("{namespace}/{service}"))
    }

    fn service_at(&self, address: Ipv4Addr) -> Option<Arc<Service>> {
        self.services
            .store()
            .by_index(BY_CLUSTER_IP, &address.to_string())
            .into_iter()
            .next()
    }

    fn slices_at(&self, address: Ipv4Addr) -> Vec<Arc<EndpointSlice>> {
        self.slices
            .store()
            .by_index(BY_ENDPOINT_IP, &address.to_string())
    }
}
