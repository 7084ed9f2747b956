//! A registry with chosen plugins, for their tests: writes as anybody, and what came of each.

use std::sync::Arc;

use k8s_apimachinery::{Object, Value};
use k8s_store::memory::MemoryStore;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Admission;
use crate::{
    ApiError, User,
    registry::{
        Annotations, DeleteOptions, Missing, Notices, Registry, RegistryConfig, Resource, Tracking,
        Write, WriteOptions, bootstrap, builtin_strategies,
    },
};

/// The registry, with all built-in kinds and the bootstrap objects.
pub(super) struct World {
    pub(super) registry: Arc<Registry>,
    _running: DropGuard,
}

/// What is written: group, plural, subresource, namespace, name.
pub(super) type What<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

/// How a write ended, and what was said meanwhile.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) result: Result<(), ApiError>,
    pub(super) warnings: Vec<String>,
    pub(super) annotations: Annotations,
}

impl Outcome {
    /// What is after `is forbidden: `, or all of another error; empty if it went well.
    pub(super) fn refusal(self) -> String {
        match self.result {
            Ok(()) => String::new(),
            Err(ApiError::Forbidden { detail, .. }) => detail,
            Err(error) => error.to_string(),
        }
    }
}

/// The parts that a [`Write`] borrows.
struct Parts {
    resource: Arc<Resource>,
    notices: Notices,
    options: WriteOptions,
}

impl Parts {
    fn write<'a>(&'a self, user: &'a User, what: What<'a>) -> Write<'a> {
        let (_, _, subresource, namespace, name) = what;
        Write {
            resource: &self.resource,
            version: self.resource.row.preferred_version(),
            subresource,
            namespace,
            name,
            user,
            options: &self.options,
            notices: &self.notices,
        }
    }

    fn outcome(self, result: Result<(), ApiError>) -> Outcome {
        let (warnings, annotations) = self.notices.take();
        Outcome {
            result,
            warnings,
            annotations,
        }
    }
}

impl World {
    pub(super) async fn start(plugin: impl Admission) -> Self {
        let cancel = CancellationToken::new();
        let config = RegistryConfig {
            strategies: builtin_strategies(),
            admission: vec![Arc::new(plugin)],
            ..RegistryConfig::default()
        };
        let store = Arc::new(MemoryStore::new());
        let registry = Registry::start(store, config, cancel.clone()).await;
        let registry = registry.unwrap();
        let policy = bootstrap::Policy::default();
        bootstrap::run(&registry, &policy).await.unwrap();
        World {
            registry,
            _running: cancel.drop_guard(),
        }
    }

    fn parts(&self, (group, plural, ..): What<'_>) -> Parts {
        Parts {
            resource: self.registry.resource(group, plural).unwrap(),
            notices: Notices::default(),
            options: WriteOptions {
                field_manager: "test".to_owned(),
                ..WriteOptions::default()
            },
        }
    }

    /// Creates the object, or replaces the one that is there.
    pub(super) async fn put(&self, user: &User, what: What<'_>, object: Value) -> Outcome {
        let parts = self.parts(what);
        let mut object = Object::from_value(object).unwrap();
        object.set_gvk(&parts.resource.row.gvk());
        object.set(&["metadata", "name"], what.4.into());
        let replace = |_: Option<&Object>| Ok(object.clone());
        let write = parts.write(user, what);
        let written = self
            .registry
            .update(&write, &replace, Missing::Create, Tracking::Update)
            .await;
        parts.outcome(written.map(drop))
    }

    /// Changes one field of what is there.
    pub(super) async fn change(
        &self,
        user: &User,
        what: What<'_>,
        path: &[&str],
        value: Value,
    ) -> Outcome {
        let mut object = self.get(what);
        object.set(path, value);
        self.put(user, what, object.into_value()).await
    }

    pub(super) async fn delete(&self, user: &User, what: What<'_>) -> Outcome {
        let parts = self.parts(what);
        let (write, options) = (parts.write(user, what), DeleteOptions::default());
        let deleted = self.registry.delete(&write, &options).await;
        parts.outcome(deleted.map(drop))
    }

    /// Shows the plugin what is posted to a subresource.
    pub(super) async fn post(&self, user: &User, what: What<'_>, object: Value) -> Outcome {
        let parts = self.parts(what);
        let mut object = Object::from_value(object).unwrap();
        let write = parts.write(user, what);
        let admitted = self.registry.admit(&write, &mut object).await;
        parts.outcome(admitted)
    }

    pub(super) fn get(&self, (group, plural, _, namespace, name): What<'_>) -> Object {
        let found = self.registry.get(group, plural, namespace, name);
        found.expect("it is there").entry.object()
    }
}
