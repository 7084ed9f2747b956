//! The readable cache of one kind.
//!
//! One owner writes (the informer); everybody else holds a cheap [`Store`] handle and reads
//! `Arc`s, which nobody can edit. No lock is ever held across an await.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use crate::{
    Key,
    index::{Extract, Index},
};

/// A handle on the cached objects of one kind, ordered by namespace and name. Cheap to clone.
pub struct Store<K> {
    table: Arc<RwLock<Table<K>>>,
}

/// The objects and their indexes: what the lock guards.
pub(crate) struct Table<K> {
    objects: BTreeMap<Arc<Key>, Arc<K>>,
    indexes: Vec<Index<K>>,
    /// Everything up to here is in `objects`.
    pub(crate) revision: u64,
}

impl<K> Clone for Store<K> {
    fn clone(&self) -> Self {
        Self {
            table: self.table.clone(),
        }
    }
}

impl<K> Default for Store<K> {
    /// An empty store that nothing feeds.
    fn default() -> Self {
        Self {
            table: Arc::new(RwLock::new(Table {
                objects: BTreeMap::new(),
                indexes: Vec::new(),
                revision: 0,
            })),
        }
    }
}

impl<K> Store<K> {
    /// The object of this name, if it exists.
    pub fn get(&self, key: &Key) -> Option<Arc<K>> {
        self.read().objects.get(key).cloned()
    }

    /// All objects.
    pub fn list(&self) -> Vec<Arc<K>> {
        self.read().objects.values().cloned().collect()
    }

    /// All objects of a namespace.
    pub fn list_in(&self, namespace: &str) -> Vec<Arc<K>> {
        let start = Key::new(namespace, "");
        self.read()
            .objects
            .range::<Key, _>(start..)
            .take_while(|(key, _)| key.namespace == namespace)
            .map(|(_, object)| object.clone())
            .collect()
    }

    /// The objects that an index finds under a value.
    ///
    /// # Panics
    /// When no index of that name was added: a mistake in the calling code, not of the cluster.
    pub fn by_index(&self, name: &str, value: &str) -> Vec<Arc<K>> {
        let table = self.read();
        let index = table
            .indexes
            .iter()
            .find(|index| index.name == name)
            .unwrap_or_else(|| panic!("index {name:?} must be added before it is read"));
        index
            .keys(value)
            .filter_map(|key| table.objects.get(key).cloned())
            .collect()
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.read().objects.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The newest revision that this store is known to show: a write that returned this
    /// `resourceVersion` or a smaller one is visible here. (They are comparable integers since
    /// Kubernetes 1.35.)
    pub fn revision(&self) -> u64 {
        self.read().revision
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Table<K>> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Table<K>> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K> Table<K> {
    pub(crate) fn note_revision(&mut self, rv: Option<&str>) {
        if let Some(revision) = rv.and_then(|rv| rv.parse().ok()) {
            self.revision = self.revision.max(revision);
        }
    }

    pub(crate) fn add_index(&mut self, name: &'static str, extract: Extract<K>) {
        if self.indexes.iter().any(|index| index.name == name) {
            return;
        }
        let mut index = Index::new(name, extract);
        for (key, object) in &self.objects {
            index.insert(key, object);
        }
        self.indexes.push(index);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<Key>, &Arc<K>)> {
        self.objects.iter()
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<K>> {
        self.objects.get(key)
    }

    /// Puts an object in; what was there before comes back, with the key's shared form.
    pub(crate) fn insert(&mut self, key: Key, object: Arc<K>) -> (Arc<Key>, Option<Arc<K>>) {
        let key = match self.objects.get_key_value(&key) {
            Some((shared, _)) => shared.clone(),
            None => Arc::new(key),
        };
        let old = self.objects.insert(key.clone(), object.clone());
        for index in &mut self.indexes {
            if let Some(old) = &old {
                index.remove(&key, old);
            }
            index.insert(&key, &object);
        }
        (key, old)
    }

    pub(crate) fn remove(&mut self, key: &Key) -> Option<(Arc<Key>, Arc<K>)> {
        let (key, old) = self.objects.remove_entry(key)?;
        for index in &mut self.indexes {
            index.remove(&key, &old);
        }
        Some((key, old))
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Pod, PodSpec};
    use kube::core::ObjectMeta;

    use super::*;
    use crate::index;

    fn pod(namespace: &str, name: &str, node: &str) -> Arc<Pod> {
        Arc::new(Pod {
            metadata: ObjectMeta {
                namespace: Some(namespace.into()),
                name: Some(name.into()),
                ..Default::default()
            },
            spec: Some(PodSpec {
                node_name: Some(node.into()),
                ..Default::default()
            }),
            status: None,
        })
    }

    fn put(store: &Store<Pod>, pod: Arc<Pod>) {
        store.write().insert(Key::of(&*pod), pod);
    }

    fn names(pods: Vec<Arc<Pod>>) -> Vec<String> {
        pods.iter().map(|pod| Key::of(&**pod).to_string()).collect()
    }

    #[test]
    fn a_namespace_is_a_contiguous_range() {
        let store = Store::default();
        for (namespace, name) in [("b", "2"), ("a", "z"), ("b", "1"), ("bb", "0")] {
            put(&store, pod(namespace, name, "n"));
        }
        assert_eq!(names(store.list_in("b")), ["b/1", "b/2"]);
        assert_eq!(names(store.list_in("c")), [""; 0]);
        assert_eq!(store.len(), 4);
    }

    #[test]
    fn an_index_follows_updates_and_deletes() {
        let store = Store::default();
        put(&store, pod("a", "early", "n1"));
        store
            .write()
            .add_index(index::POD_BY_NODE, Arc::new(index::pod_node));
        put(&store, pod("a", "x", "n1"));
        assert_eq!(
            names(store.by_index(index::POD_BY_NODE, "n1")),
            ["a/early", "a/x"]
        );
        put(&store, pod("a", "x", "n2"));
        assert_eq!(names(store.by_index(index::POD_BY_NODE, "n1")), ["a/early"]);
        store.write().remove(&Key::new("a", "early"));
        assert!(store.by_index(index::POD_BY_NODE, "n1").is_empty());
        assert_eq!(names(store.by_index(index::POD_BY_NODE, "n2")), ["a/x"]);
    }
}
