//! A new state of an object, made from the one that is there.

use k8s_apimachinery::Object;
use k8s_store::{Compare, Op};

use super::{Attempt, Snapshot, Write, put, written};
use crate::{
    ApiError,
    error::Cause,
    registry::{Answer, Registry, meta},
};

/// What to do when there is no object to update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// `404`.
    NotFound,
    /// Create it: server-side apply, and `PUT` of a few kinds.
    Create,
}

/// Who notes the owners of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracking {
    /// The registry, by comparing before and after.
    Update,
    /// The new state carries them already: it comes from a server-side apply.
    Done,
}

/// The outcome of an update.
#[derive(Debug)]
pub struct Updated {
    /// The object as it is now.
    pub answer: Answer,
    /// It wasn't there before.
    pub created: bool,
}

/// Makes the new state from the current one. Runs again after a lost race, so it must be repeatable.
pub trait Transform: Send + Sync {
    /// `None` if there is no object and one may be created.
    fn apply(&self, current: Option<&Object>) -> Result<Object, ApiError>;
}

impl<F> Transform for F
where
    F: Fn(Option<&Object>) -> Result<Object, ApiError> + Send + Sync,
{
    fn apply(&self, current: Option<&Object>) -> Result<Object, ApiError> {
        self(current)
    }
}

impl Registry {
    /// Replaces an object by what `transform` makes of it.
    pub async fn update(
        &self,
        write: &Write<'_>,
        transform: &dyn Transform,
        missing: Missing,
        tracking: Tracking,
    ) -> Result<Updated, ApiError> {
        let mut current = self.snapshot(&write.key()).await?;
        loop {
            let Some(snapshot) = current else {
                if missing == Missing::NotFound {
                    return Err(write.not_found());
                }
                let object = transform.apply(None)?;
                match self.create_tracked(write, &object, tracking).await {
                    Ok(answer) => {
                        return Ok(Updated {
                            answer,
                            created: true,
                        });
                    }
                    Err(ApiError::AlreadyExists { .. }) if !write.options.dry_run => {
                        current = self.snapshot(&write.key()).await?;
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            };
            match self.replace(write, &snapshot, transform, tracking).await? {
                Replaced::Done(answer) => {
                    return Ok(Updated {
                        answer,
                        created: false,
                    });
                }
                Replaced::Lost(now) => current = now,
            }
        }
    }

    async fn replace(
        &self,
        write: &Write<'_>,
        snapshot: &Snapshot,
        transform: &dyn Transform,
        tracking: Tracking,
    ) -> Result<Replaced, ApiError> {
        let old = &snapshot.object;
        let mut new = transform.apply(Some(old))?;
        meta::place(&mut new, write)?;
        meta::name_as_requested(&mut new, write.name)?;
        check_identity(write, &new, old)?;
        let effects = self.prepare(write, Some(old), &mut new, tracking).await?;
        new.set(
            &["metadata", "resourceVersion"],
            old.resource_version().into(),
        );

        let key = write.key();
        let is_over = old.deletion_timestamp().is_some()
            && meta::remaining_grace(&new) == 0
            && !write.resource.strategy.is_held(&new);
        if write.options.dry_run {
            return Ok(Replaced::Done(Answer::Tree(new)));
        }
        if !is_over && meta::is_unchanged(&new, old) {
            return Ok(Replaced::Done(match self.cache.get(&key) {
                Some(stored) if stored.modified == snapshot.revision => Answer::Cached(stored),
                _ => Answer::Tree(old.clone()),
            }));
        }
        let compare = Compare::Modified(key.clone(), snapshot.revision);
        if is_over {
            let effects = self.removal(write, old)?;
            let attempt = self.attempt(compare, Op::Delete { key }, effects).await?;
            return Ok(match attempt {
                Attempt::Committed(_) => Replaced::Done(Answer::Tree(new)),
                Attempt::Lost(now) => Replaced::Lost(now),
            });
        }
        let (op, stored) = put(write, key, &new);
        Ok(match self.attempt(compare, op, effects).await? {
            Attempt::Committed(revision) => Replaced::Done(written(stored, revision, &new)?),
            Attempt::Lost(now) => Replaced::Lost(now),
        })
    }
}

/// How one round of an update ended.
enum Replaced {
    Done(Answer),
    Lost(Option<Snapshot>),
}

/// The new state must be one of the same object, and of the version that the client meant.
///
/// A patch inherits the current version, so only a version that the client itself named can be stale.
fn check_identity(write: &Write<'_>, new: &Object, old: &Object) -> Result<(), ApiError> {
    if !new.uid().is_empty() && new.uid() != old.uid() {
        return Err(ApiError::Conflict {
            resource: write.resource.name(),
            name: write.name.to_owned(),
            detail: format!(
                "Precondition failed: UID in precondition: {}, UID in object meta: {}",
                new.uid(),
                old.uid()
            ),
        });
    }
    match new.resource_version() {
        "" | "0" if write.resource.row.unconditional_update => Ok(()),
        "" | "0" => Err(ApiError::Invalid {
            kind: write.resource.group_kind(),
            name: write.name.to_owned(),
            causes: vec![Cause::new(
                "FieldValueInvalid",
                "Invalid value: 0: must be specified for an update",
                "metadata.resourceVersion",
            )],
        }),
        version if version != old.resource_version() => Err(write.modified()),
        _ => Ok(()),
    }
}
