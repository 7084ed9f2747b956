//! The resources that the server serves, as a table that grows at run time.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use k8s_apimachinery::{
    Object,
    api::{self, Rules},
    apply,
    scheme::{gvk::Gvk, schema::Schema},
};

use super::{KindRow, Strategy, Virtual};
use crate::error::{GroupKind, GroupResource};

/// A kind that is stored: its row, its behaviour, its schema.
pub struct Resource {
    /// The facts.
    pub row: KindRow,
    /// The behaviour.
    pub strategy: Arc<dyn Strategy>,
    schema: OnceLock<Option<Arc<Schema>>>,
}

/// A kind that is computed on request and stored nowhere: reviews.
pub struct VirtualResource {
    /// The facts.
    pub row: KindRow,
    /// What answers.
    pub service: Arc<dyn Virtual>,
}

/// What a group and a plural lead to.
#[derive(Debug, Clone)]
pub enum Endpoint {
    /// Objects in the store.
    Stored(Arc<Resource>),
    /// Answers without storage.
    Virtual(Arc<VirtualResource>),
}

/// Every resource, in the order of registration.
#[derive(Debug, Default)]
pub struct Resources {
    table: RwLock<Table>,
    generation: AtomicU64,
}

#[derive(Debug, Default)]
struct Table {
    endpoints: Vec<Endpoint>,
    by_name: HashMap<(String, String), Endpoint>,
    /// By `apiVersion` and kind as they are stored.
    by_stored_kind: HashMap<(String, String), Arc<Resource>>,
}

impl Resource {
    /// A resource with the behaviour of `strategy`.
    pub fn new(strategy: Arc<dyn Strategy>) -> Self {
        Resource {
            row: strategy.kind(),
            strategy,
            schema: OnceLock::new(),
        }
    }

    /// The structural schema of the stored version, found on first use; `None` if there is none for the kind.
    pub fn schema(&self) -> Option<&Arc<Schema>> {
        self.schema
            .get_or_init(|| self.schema_of(&self.row.storage_gvk()))
            .as_ref()
    }

    /// The structural schema of one of the versions.
    pub fn schema_of(&self, gvk: &Gvk) -> Option<Arc<Schema>> {
        self.strategy.schema(gvk).or_else(|| Schema::builtin(gvk))
    }

    /// An object in another version, with the record of who owns what.
    pub fn convert(&self, object: Object, to: &Gvk) -> Object {
        let from = object.gvk();
        if from == *to {
            return object;
        }
        let convert = |object| self.strategy.convert(object, to);
        match (self.schema_of(&from), self.schema_of(to)) {
            (Some(from), Some(to)) => apply::convert(object, &from, &to, &convert),
            _ => convert(object),
        }
    }

    /// Defaulting and validation, if the kind has any of its own.
    pub fn rules(&self) -> Option<&dyn Rules> {
        let builtin = || api::rules(&self.row.gvk()).map(|rules| -> &dyn Rules { rules });
        self.strategy.rules().or_else(builtin)
    }

    /// `deployments.apps`, as error messages name it.
    pub fn name(&self) -> GroupResource {
        GroupResource::new(&self.row.group, &self.row.plural)
    }

    /// `Deployment.apps`, as failed validations name it.
    pub fn group_kind(&self) -> GroupKind {
        GroupKind::new(&self.row.group, &self.row.kind)
    }

    /// The kind in one of the served versions.
    pub fn gvk(&self, version: &str) -> Gvk {
        Gvk::new(&self.row.group, version, &self.row.kind)
    }

    /// Whether readers of this version get the stored bytes, without a conversion.
    pub fn is_stored_as(&self, version: &str) -> bool {
        self.row.stored_as.is_none() && self.row.storage_version == version
    }
}

impl Endpoint {
    /// The facts about the kind.
    pub fn row(&self) -> &KindRow {
        match self {
            Endpoint::Stored(resource) => &resource.row,
            Endpoint::Virtual(resource) => &resource.row,
        }
    }
}

impl Resources {
    /// Adds a resource, or replaces the one of the same group and plural.
    pub fn register(&self, endpoint: Endpoint) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let name = name_of(endpoint.row());
        table.endpoints.retain(|each| name_of(each.row()) != name);
        table.endpoints.push(endpoint.clone());
        if let Endpoint::Stored(resource) = &endpoint
            && resource.row.stored_as.is_none()
        {
            let gvk = resource.row.storage_gvk();
            let stored = (gvk.api_version(), gvk.kind);
            table.by_stored_kind.insert(stored, resource.clone());
        }
        table.by_name.insert(name, endpoint);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Takes a resource out of the table; its objects stay in the store.
    pub fn unregister(&self, group: &str, plural: &str) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let name = (group.to_owned(), plural.to_owned());
        table.endpoints.retain(|each| name_of(each.row()) != name);
        table.by_name.remove(&name);
        table
            .by_stored_kind
            .retain(|_, each| name_of(&each.row) != name);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Changes whenever the table does: what is derived from it compares this.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The resource of that group and plural.
    pub fn find(&self, group: &str, plural: &str) -> Option<Endpoint> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let name = (group.to_owned(), plural.to_owned());
        table.by_name.get(&name).cloned()
    }

    /// The resource whose objects are stored with this `apiVersion` and kind.
    pub fn stored_as(&self, api_version: &str, kind: &str) -> Option<Arc<Resource>> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let stored = (api_version.to_owned(), kind.to_owned());
        table.by_stored_kind.get(&stored).cloned()
    }

    /// All of them, in the order of registration.
    pub fn all(&self) -> Vec<Endpoint> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.endpoints.clone()
    }
}

fn name_of(row: &KindRow) -> (String, String) {
    (row.group.clone(), row.plural.clone())
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resource({})", self.name())
    }
}

impl fmt::Debug for VirtualResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VirtualResource({}.{})", self.row.plural, self.row.group)
    }
}
