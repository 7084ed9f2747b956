//! Claims, volumes and what is known of drivers, as one scheduling cycle sees them.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::{
    core::v1::{PersistentVolume, PersistentVolumeClaim, Pod},
    storage::v1::{CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment},
};
use k8s_runtime::{Event, Key, Object};

/// The objects of one kind, ordered by namespace and name.
#[derive(Clone, Debug)]
pub struct Table<K>(BTreeMap<Key, Arc<K>>);

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Object> Table<K> {
    /// The object of this name, if it exists.
    pub fn get(&self, key: &Key) -> Option<&Arc<K>> {
        self.0.get(key)
    }

    /// The cluster-scoped object of this name, if it exists.
    pub fn named(&self, name: &str) -> Option<&Arc<K>> {
        self.0.get(&Key::cluster(name))
    }

    /// All objects.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<K>> {
        self.0.values()
    }

    /// Adds an object, in place of one of the same name.
    pub fn set(&mut self, object: Arc<K>) {
        self.0.insert(Key::of(&*object), object);
    }

    /// Follows an event.
    pub(crate) fn apply(&mut self, event: &Event<K>) {
        match event {
            Event::Added(new) | Event::Updated { new, .. } => self.set(new.clone()),
            Event::Deleted(old) => drop(self.0.remove(&Key::of(&**old))),
        }
    }
}

impl<K: Object> FromIterator<K> for Table<K> {
    fn from_iter<I: IntoIterator<Item = K>>(objects: I) -> Self {
        let mut table = Self::default();
        objects
            .into_iter()
            .for_each(|object| table.set(Arc::new(object)));
        table
    }
}

/// What volume plugins decide by.
#[derive(Clone, Debug, Default)]
pub struct Storage {
    /// What pods ask for.
    pub claims: Table<PersistentVolumeClaim>,
    /// What there is.
    pub volumes: Table<PersistentVolume>,
    /// How more is made.
    pub classes: Table<StorageClass>,
    /// The drivers of each node, with how many volumes they take.
    pub csi_nodes: Table<CSINode>,
    /// What each driver can.
    pub csi_drivers: Table<CSIDriver>,
    /// How much room drivers have, and where.
    pub capacities: Table<CSIStorageCapacity>,
    /// What is attached to nodes, or shall be.
    pub attachments: Table<VolumeAttachment>,
}

impl Storage {
    /// A claim of a pod's namespace.
    pub fn claim_of(&self, pod: &Pod, name: &str) -> Option<&Arc<PersistentVolumeClaim>> {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        self.claims.get(&Key::new(namespace, name))
    }
}
