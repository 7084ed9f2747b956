//! A new object, in a namespace that is open, under a name that is free.

use k8s_apimachinery::Object;
use k8s_store::Compare;

use super::{Attempt, Tracking, Write, put, written};
use crate::{
    ApiError,
    registry::{Answer, Registry, key, meta},
};

/// How often a generated name that is taken is replaced by another.
const GENERATED_NAMES: usize = 8;

impl Registry {
    /// Creates an object. Its name is in it, or `write.name` says which it must be, or it has a `generateName`.
    pub async fn create(&self, write: &Write<'_>, object: &Object) -> Result<Answer, ApiError> {
        self.create_tracked(write, object, Tracking::Update).await
    }

    pub(super) async fn create_tracked(
        &self,
        write: &Write<'_>,
        object: &Object,
        tracking: Tracking,
    ) -> Result<Answer, ApiError> {
        // What is decided on, such as the namespace, may have been made through another server just now.
        self.cache.catch_up().await?;
        let is_generated = object.name().is_empty();
        let mut names_tried = 0;
        loop {
            let mut new = object.clone();
            meta::place(&mut new, write)?;
            if !write.name.is_empty() {
                meta::name_as_requested(&mut new, write.name)?;
            }
            meta::begin(&mut new, &*self.config().environment)?;
            let effects = self.prepare(write, None, &mut new, tracking).await?;

            let name = new.name().to_owned();
            let key = key::object(&write.resource.row, write.namespace, &name);
            let exists = || ApiError::already_exists(write.resource.name(), name.as_str());
            if write.options.dry_run {
                return match self.cache.get(&key) {
                    Some(_) => Err(exists()),
                    None => Ok(Answer::Tree(new)),
                };
            }
            let (op, stored) = put(write, key.clone(), &new);
            match self.attempt(Compare::Absent(key), op, effects).await? {
                Attempt::Committed(revision) => return written(stored, revision, &new),
                Attempt::Lost(Some(_)) => {
                    names_tried += 1;
                    if !is_generated || names_tried == GENERATED_NAMES {
                        return Err(exists());
                    }
                }
                // Something else changed: the namespace, an address. Decide again.
                Attempt::Lost(None) => {}
            }
        }
    }
}
