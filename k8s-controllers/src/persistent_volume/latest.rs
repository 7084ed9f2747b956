//! A store with this controller's own writes laid over it.
//!
//! A volume that has just been given to one claim is not to be offered to the next because the store lags behind. What
//! was written is remembered until the store shows it, or something newer.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use k8s_runtime::{Key, Object, Store};

/// The newest known state of each object.
pub(super) struct Latest<K> {
    store: Store<K>,
    written: Mutex<BTreeMap<Key, Arc<K>>>,
}

impl<K: Object> Latest<K> {
    pub(super) fn new(store: Store<K>) -> Self {
        Self {
            store,
            written: Mutex::default(),
        }
    }

    /// The object of this name, if it exists.
    pub(super) fn get(&self, key: &Key) -> Option<Arc<K>> {
        let stored = self.store.get(key);
        self.newer(key, stored)
    }

    /// The objects that an index of the store finds under a value, in their newest state.
    pub(super) fn by_index(&self, index: &str, value: &str) -> Vec<Arc<K>> {
        let stored = self.store.by_index(index, value).into_iter();
        stored
            .filter_map(|object| self.newer(&Key::of(&*object), Some(object)))
            .collect()
    }

    /// Notes what the API answered to a write.
    pub(super) fn wrote(&self, object: K) -> Arc<K> {
        let object = Arc::new(object);
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.insert(Key::of(&*object), object.clone());
        object
    }

    fn newer(&self, key: &Key, stored: Option<Arc<K>>) -> Option<Arc<K>> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(own) = written.get(key) else {
            return stored;
        };
        // When the store is past the write and has no such object, it was deleted since.
        let shown = match &stored {
            Some(stored) => revision(&**stored),
            None => self.store.revision(),
        };
        if shown >= revision(&**own) {
            written.remove(key);
            return stored;
        }
        Some(own.clone())
    }
}

fn revision<K: Object>(object: &K) -> u64 {
    let rv = object.meta().resource_version.as_deref();
    rv.and_then(|rv| rv.parse().ok()).unwrap_or(0)
}
