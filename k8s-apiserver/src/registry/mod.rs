//! What the server holds: the table of resources, the cache over the store, and the rules by which objects change.
//!
//! Handlers translate HTTP to the methods of [`Registry`]; everything that makes a write a Kubernetes write (metadata,
//! defaulting, admission, validation, managed fields, optimistic concurrency) happens here, so that objects made at
//! start, or by a test, take the same way as those of clients. Nothing here knows HTTP.

mod admissionregistration;
pub mod allocation;
mod answer;
mod apiregistration;
mod apps;
mod autoscaling;
mod batch;
pub mod bootstrap;
mod builtin;
mod cell;
mod certificates;
mod codec;
pub(crate) mod condition;
mod config;
mod connector;
mod coordination;
mod core;
mod device;
mod discovery;
mod effect;
mod entry;
mod environment;
mod events;
pub(crate) mod fault;
mod flowcontrol;
pub(crate) mod key;
mod kind_table;
mod meta;
mod networking;
mod node;
mod notices;
mod options;
mod policy;
mod rbac;
mod read;
mod replicas;
mod resource;
mod scheduling;
mod storage;
mod storagemigration;
mod store;
mod strategy;
mod virtual_resource;

use std::{fmt, sync::Arc};

use k8s_apimachinery::Object;
use k8s_store::{
    Store,
    cache::{CacheOptions, Cached, WatchCache},
};
use tokio_util::sync::CancellationToken;

pub use answer::Answer;
pub use builtin::builtin_strategies;
pub use codec::EntryCodec;
pub(crate) use codec::is_bucketed;
pub use config::RegistryConfig;
pub use connector::Connector;
pub(crate) use core::component_status::ComponentStatus;
pub use effect::{Change, Effects};
pub use entry::{Entry, NotAnEntry};
pub use environment::{Environment, SystemEnvironment, rfc3339};
pub(crate) use environment::{generated_name, new_uid};
pub use key::{RANGES, ROOT};
pub use kind_table::{ALL_VERBS, KindRow, Serves, SubresourceRow};
pub use notices::{Annotations, Notices};
pub use options::{DeleteOptions, FieldValidation, Preconditions, Propagation, WriteOptions};
pub(crate) use read::parse_revision;
pub use read::{ListRequest, ListResult, RevisionMatch, Selection};
pub use resource::{Endpoint, Resource, Resources, VirtualResource};
pub use store::{Deleted, Missing, Tracking, Transform, Updated, Write};
pub use strategy::{Grace, Strategy, WriteContext, keep, keep_all_but_status};
pub use virtual_resource::Virtual;

use crate::{ApiError, admission::Admission};

/// An object in the cache: its key, its revisions, its [`Entry`].
pub type Stored = Cached<Entry>;

/// The state of one API server: cheap to share as an `Arc`, and nothing of it is global.
pub struct Registry {
    resources: Arc<Resources>,
    cache: WatchCache<EntryCodec>,
    config: RegistryConfig,
}

/// What strategies and admission may look at while they decide: the newest committed state, and the configuration.
#[derive(Clone, Copy)]
pub struct View<'a> {
    registry: &'a Registry,
}

impl Registry {
    /// Fills the cache from the store. Resources are registered next, then [`bootstrap`](bootstrap::run) runs.
    ///
    /// The kinds of `config` are registered before the first object is read, since the codec asks them what fields
    /// can be selected on.
    pub async fn start(
        store: Arc<dyn Store>,
        config: RegistryConfig,
        cancel: CancellationToken,
    ) -> Result<Arc<Self>, ApiError> {
        let resources = Arc::new(Resources::default());
        for strategy in &config.strategies {
            let resource = Resource::new(strategy.clone());
            resources.register(Endpoint::Stored(Arc::new(resource)));
        }
        for (row, service) in &config.virtual_resources {
            resources.register(Endpoint::Virtual(Arc::new(VirtualResource {
                row: row.clone(),
                service: service.clone(),
            })));
        }
        let codec = EntryCodec::new(resources.clone());
        let options = CacheOptions::default();
        let cache = WatchCache::start(store, codec, ROOT.into(), options, cancel).await?;
        Ok(Arc::new(Registry {
            resources,
            cache,
            config,
        }))
    }

    /// Serves one more kind, or another version of the same, from now on.
    pub fn register(&self, strategy: Arc<dyn Strategy>) -> Arc<Resource> {
        let resource = Arc::new(Resource::new(strategy));
        self.resources.register(Endpoint::Stored(resource.clone()));
        resource
    }

    /// The table of resources.
    pub fn resources(&self) -> &Resources {
        &self.resources
    }

    /// The stored resource of a group and a plural.
    pub fn resource(&self, group: &str, plural: &str) -> Option<Arc<Resource>> {
        match self.resources.find(group, plural)? {
            Endpoint::Stored(resource) => Some(resource),
            Endpoint::Virtual(_) => None,
        }
    }

    /// The watch cache, for watches.
    pub fn cache(&self) -> &WatchCache<EntryCodec> {
        &self.cache
    }

    /// What the server was configured with.
    pub fn config(&self) -> &RegistryConfig {
        &self.config
    }

    /// One object from the cache. A cluster-scoped one has an empty namespace.
    pub fn get(
        &self,
        group: &str,
        plural: &str,
        namespace: &str,
        name: &str,
    ) -> Option<Arc<Stored>> {
        let resource = self.resource(group, plural)?;
        self.cache.get(&key::object(&resource.row, namespace, name))
    }

    /// All objects of a resource from the cache, in one namespace, or with an empty `namespace` in all.
    pub fn list(&self, group: &str, plural: &str, namespace: &str) -> Vec<Arc<Stored>> {
        match self.resource(group, plural) {
            Some(resource) => {
                let prefix = key::collection(&resource.row, namespace);
                self.cache.list(&prefix, None, None, &|_| true).0
            }
            None => Vec::new(),
        }
    }

    /// What strategies and admission see.
    pub fn view(&self) -> View<'_> {
        View { registry: self }
    }

    /// The admission plugins, in order.
    pub(crate) fn admission(&self) -> &[Arc<dyn Admission>] {
        &self.config.admission
    }
}

impl<'a> View<'a> {
    /// One object; a cluster-scoped one has an empty namespace.
    pub fn get(&self, group: &str, plural: &str, namespace: &str, name: &str) -> Option<Object> {
        let found = self.registry.get(group, plural, namespace, name)?;
        Some(found.entry.object())
    }

    /// One object as it is cached, with its revision.
    pub fn entry(
        &self,
        group: &str,
        plural: &str,
        namespace: &str,
        name: &str,
    ) -> Option<Arc<Stored>> {
        self.registry.get(group, plural, namespace, name)
    }

    /// All objects of a resource, in one namespace, or with an empty `namespace` in all.
    pub fn list(&self, group: &str, plural: &str, namespace: &str) -> Vec<Arc<Stored>> {
        self.registry.list(group, plural, namespace)
    }

    /// Whether a kind is served.
    pub fn serves(&self, group: &str, plural: &str) -> bool {
        self.registry.resources.find(group, plural).is_some()
    }

    /// Whether a key of the store is taken; for allocations.
    pub fn is_taken(&self, key: &[u8]) -> bool {
        self.registry.cache.get(key).is_some()
    }

    /// What the server was configured with.
    pub fn config(&self) -> &'a RegistryConfig {
        &self.registry.config
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").finish_non_exhaustive()
    }
}
