//! Roles and bindings out of a store of objects, parsed once each.
//!
//! Every decision reads the newest objects, so a change takes effect with the write that makes it;
//! what is parsed from an object is kept for as long as the store shares that very object.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::RuleSource;

/// The newest state of the group `rbac.authorization.k8s.io`, as a watch cache has it.
pub trait Objects: Send + Sync + 'static {
    /// An object as it is shared: replaced by another when it changes, never changed itself.
    type Shared: Send + Sync + 'static;

    /// The objects of a resource (`rolebindings`): of one namespace, or all if it is empty.
    fn list(&self, resource: &str, namespace: &str) -> Vec<Arc<Self::Shared>>;
    /// One object; a cluster-wide one has an empty namespace.
    fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Arc<Self::Shared>>;
    /// The object as a tree.
    fn tree(&self, object: &Self::Shared) -> Value;
}

/// A [`RuleSource`] over [`Objects`].
#[derive(Debug)]
pub struct CachedRules<O: Objects> {
    objects: O,
    cluster_roles: Parsed<O::Shared, ClusterRole>,
    cluster_bindings: Parsed<O::Shared, ClusterRoleBinding>,
    roles: Parsed<O::Shared, Role>,
    bindings: Parsed<O::Shared, RoleBinding>,
}

impl<O: Objects> CachedRules<O> {
    /// Rules as these objects have them, now and later.
    pub fn new(objects: O) -> Self {
        CachedRules {
            objects,
            cluster_roles: Parsed::default(),
            cluster_bindings: Parsed::default(),
            roles: Parsed::default(),
            bindings: Parsed::default(),
        }
    }
}

impl<O: Objects> RuleSource for CachedRules<O> {
    fn cluster_role_bindings(&self) -> Vec<Arc<ClusterRoleBinding>> {
        let found = self.objects.list("clusterrolebindings", "");
        found
            .iter()
            .filter_map(|object| self.cluster_bindings.get(&self.objects, object))
            .collect()
    }

    fn role_bindings(&self, namespace: &str) -> Vec<Arc<RoleBinding>> {
        let found = self.objects.list("rolebindings", namespace);
        found
            .iter()
            .filter_map(|object| self.bindings.get(&self.objects, object))
            .collect()
    }

    fn cluster_role(&self, name: &str) -> Option<Arc<ClusterRole>> {
        self.cluster_roles
            .get(&self.objects, &self.objects.get("clusterroles", "", name)?)
    }

    fn role(&self, namespace: &str, name: &str) -> Option<Arc<Role>> {
        self.roles
            .get(&self.objects, &self.objects.get("roles", namespace, name)?)
    }
}

/// What was parsed, by the address of what it was parsed from, which is kept alive with it: so an
/// address never comes to mean another object.
#[derive(Debug)]
struct Parsed<S, T>(RwLock<Kept<S, T>>);

type Kept<S, T> = BTreeMap<usize, (Arc<S>, Arc<T>)>;

impl<S, T> Default for Parsed<S, T> {
    fn default() -> Self {
        Parsed(RwLock::default())
    }
}

impl<S, T: DeserializeOwned> Parsed<S, T> {
    /// The typed form; `None`, and a warning, if the object has none, which validation prevents.
    fn get<O: Objects<Shared = S>>(&self, objects: &O, object: &Arc<S>) -> Option<Arc<T>> {
        let address = Arc::as_ptr(object) as usize;
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, typed)) = kept.get(&address) {
            return Some(Arc::clone(typed));
        }
        drop(kept);
        let typed = match serde_json::from_value(objects.tree(object)) {
            Ok(typed) => Arc::new(typed),
            Err(error) => {
                tracing::warn!(%error, "a role or binding cannot be read and grants nothing");
                return None;
            }
        };
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Something changed: what nobody but us still holds has been replaced or deleted.
        kept.retain(|_, (object, _)| Arc::strong_count(object) > 1);
        kept.insert(address, (Arc::clone(object), Arc::clone(&typed)));
        Some(typed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    };

    use serde_json::json;

    use super::*;

    type Key = (String, String, String);

    #[derive(Default)]
    struct Toy {
        objects: Mutex<BTreeMap<Key, Arc<Value>>>,
        parsed: AtomicUsize,
    }

    fn key(resource: &str, namespace: &str, name: &str) -> Key {
        (resource.to_owned(), namespace.to_owned(), name.to_owned())
    }

    impl Objects for Arc<Toy> {
        type Shared = Value;

        fn list(&self, resource: &str, namespace: &str) -> Vec<Arc<Value>> {
            let objects = self.objects.lock().unwrap();
            let matching = objects
                .iter()
                .filter(|((of, ns, _), _)| of == resource && ns == namespace);
            matching.map(|(_, object)| Arc::clone(object)).collect()
        }

        fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
            self.objects
                .lock()
                .unwrap()
                .get(&key(resource, namespace, name))
                .cloned()
        }

        fn tree(&self, object: &Value) -> Value {
            self.parsed.fetch_add(1, Ordering::Relaxed);
            object.clone()
        }
    }

    #[test]
    fn an_object_is_parsed_once_per_change() {
        let toy = Arc::new(Toy::default());
        let put = |verb: &str| {
            let role = json!({
                "metadata": {"name": "r"},
                "rules": [{"verbs": [verb], "apiGroups": [""], "resources": ["pods"]}],
            });
            toy.objects
                .lock()
                .unwrap()
                .insert(key("clusterroles", "", "r"), Arc::new(role));
        };
        let rules = CachedRules::new(Arc::clone(&toy));
        let verb = || rules.cluster_role("r").unwrap().rules.as_ref().unwrap()[0].verbs[0].clone();
        put("get");
        assert_eq!((verb(), verb()), ("get".into(), "get".into()));
        assert_eq!(toy.parsed.load(Ordering::Relaxed), 1);
        put("list");
        assert_eq!(verb(), "list");
        assert_eq!(toy.parsed.load(Ordering::Relaxed), 2);
        assert_eq!(
            rules.cluster_roles.0.read().unwrap().len(),
            1,
            "the replaced one is forgotten"
        );
        toy.objects.lock().unwrap().clear();
        assert!(rules.cluster_role("r").is_none());
    }
}
