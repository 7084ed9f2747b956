//! The end of an object: at once, after its grace, or when its finalizers are done.

use async_trait::async_trait;
use k8s_apimachinery::{Object, Value};
use k8s_store::{Compare, Op};

use super::{Attempt, Snapshot, Write, put, written};
use crate::{
    ApiError,
    admission::Operation,
    registry::{Answer, DeleteOptions, Effects, Grace, Preconditions, Propagation, Registry, meta},
};

/// Keeps an object until its dependents are gone.
const FOREGROUND: &str = "foregroundDeletion";
/// Keeps an object until its dependents are released.
const ORPHAN: &str = "orphan";

/// How a delete ended.
#[derive(Debug)]
pub enum Deleted {
    /// The object is gone; this was its last state.
    Gone(Object),
    /// It is marked, and stays for now.
    Going(Answer),
}

/// What a delete does to an object in its present state.
#[derive(Debug, PartialEq)]
enum Step {
    /// Takes it out of the store.
    Remove,
    /// Writes it with its deletion marked.
    Mark(Object),
    /// Nothing: it is going already.
    Wait,
}

/// What else has a say in a deletion, and what goes with it. Said again after a lost race, so it must be repeatable.
#[async_trait]
pub(super) trait Farewell: Send + Sync {
    /// Refuses the deletion, or edits the object that is left, if any, and returns what commits with it.
    async fn say(
        &self,
        registry: &Registry,
        write: &Write<'_>,
        object: &mut Object,
    ) -> Result<Effects, ApiError>;
}

/// Admission has its say in the deletions that clients ask for.
struct Admitted;

#[async_trait]
impl Farewell for Admitted {
    async fn say(
        &self,
        registry: &Registry,
        write: &Write<'_>,
        object: &mut Object,
    ) -> Result<Effects, ApiError> {
        let review = write.review(registry, Operation::Delete, write.name, Some(object));
        let mut effects = Effects::default();
        for plugin in registry.admission() {
            effects.extend(plugin.validate(&review, None).await?);
        }
        Ok(effects)
    }
}

impl Registry {
    /// Deletes an object, or begins to.
    pub async fn delete(
        &self,
        write: &Write<'_>,
        options: &DeleteOptions,
    ) -> Result<Deleted, ApiError> {
        self.delete_after(write, options, &Admitted).await
    }

    /// Deletes an object, or begins to, if `farewell` lets it go.
    pub(super) async fn delete_after(
        &self,
        write: &Write<'_>,
        options: &DeleteOptions,
        farewell: &dyn Farewell,
    ) -> Result<Deleted, ApiError> {
        let mut current = self.snapshot(&write.key()).await?;
        loop {
            let snapshot = current.ok_or_else(|| write.not_found())?;
            match self
                .delete_once(write, &snapshot, options, farewell)
                .await?
            {
                Ok(deleted) => return Ok(deleted),
                Err(now) => current = now,
            }
        }
    }

    /// One round: the inner error is a lost race, with what is there now.
    async fn delete_once(
        &self,
        write: &Write<'_>,
        snapshot: &Snapshot,
        options: &DeleteOptions,
        farewell: &dyn Farewell,
    ) -> Result<Result<Deleted, Option<Snapshot>>, ApiError> {
        let old = &snapshot.object;
        check(write, &options.preconditions, old)?;
        let mut left = old.clone();
        let mut effects = farewell.say(self, write, &mut left).await?;
        let step = self.step(write, old, left, options);
        let key = write.key();
        let compare = Compare::Modified(key.clone(), snapshot.revision);
        match step {
            Step::Remove if options.dry_run => Ok(Ok(Deleted::Gone(old.clone()))),
            Step::Remove => {
                effects.extend(self.removal(write, old)?);
                match self.attempt(compare, Op::Delete { key }, effects).await? {
                    Attempt::Committed(_) => Ok(Ok(Deleted::Gone(old.clone()))),
                    Attempt::Lost(now) => Ok(Err(now)),
                }
            }
            Step::Mark(new) if options.dry_run => Ok(Ok(Deleted::Going(Answer::Tree(new)))),
            Step::Mark(new) => {
                let (op, stored) = put(write, key, &new);
                match self.attempt(compare, op, effects).await? {
                    Attempt::Committed(revision) => {
                        Ok(Ok(Deleted::Going(written(stored, revision, &new)?)))
                    }
                    Attempt::Lost(now) => Ok(Err(now)),
                }
            }
            Step::Wait => Ok(Ok(Deleted::Going(Answer::Tree(old.clone())))),
        }
    }

    /// What happens to `old`; `new` is what is left of it, if anything.
    fn step(
        &self,
        write: &Write<'_>,
        old: &Object,
        mut new: Object,
        options: &DeleteOptions,
    ) -> Step {
        let strategy = &write.resource.strategy;
        let now = self.config().environment.now();
        set_finalizers(&mut new, options.propagation);
        let grace = match strategy.grace(old, options.grace_period_seconds) {
            Grace::None => 0,
            Grace::Seconds(seconds) => seconds,
        };
        let is_held = strategy.is_held(&new);
        let began = meta::deletion_began(old);
        let remaining = meta::remaining_grace(old);
        match began {
            _ if grace == 0 && !is_held => Step::Remove,
            None => {
                meta::mark_deleted(&mut new, now, grace);
                strategy.prepare_delete(&mut new);
                Step::Mark(new)
            }
            // A repeated delete can only shorten the grace.
            Some(began) if grace < remaining => {
                meta::mark_deleted(&mut new, began, grace);
                Step::Mark(new)
            }
            Some(_) if new != *old => Step::Mark(new),
            Some(_) => Step::Wait,
        }
    }
}

fn check(write: &Write<'_>, wanted: &Preconditions, old: &Object) -> Result<(), ApiError> {
    let conflict = |detail| Err(no_longer(write, detail));
    if let Some(uid) = &wanted.uid
        && uid != old.uid()
    {
        return conflict(format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            old.uid()
        ));
    }
    if let Some(version) = &wanted.resource_version
        && version != old.resource_version()
    {
        return conflict(format!(
            "Precondition failed: ResourceVersion in precondition: {version}, ResourceVersion in object meta: {}",
            old.resource_version()
        ));
    }
    Ok(())
}

/// The object is not the one that was meant.
pub(super) fn no_longer(write: &Write<'_>, detail: String) -> ApiError {
    ApiError::Conflict {
        resource: write.resource.name(),
        name: write.name.to_owned(),
        detail,
    }
}

/// Adds the finalizer for the propagation that the client asked for, and takes out the other ones.
fn set_finalizers(object: &mut Object, propagation: Option<Propagation>) {
    let wanted = match propagation {
        None => return,
        Some(Propagation::Foreground) => Some(FOREGROUND),
        Some(Propagation::Orphan) => Some(ORPHAN),
        Some(Propagation::Background) => None,
    };
    let mut finalizers: Vec<&str> = object
        .finalizers()
        .filter(|each| Some(*each) == wanted || ![FOREGROUND, ORPHAN].contains(each))
        .collect();
    if let Some(wanted) = wanted
        && !finalizers.contains(&wanted)
    {
        finalizers.push(wanted);
    }
    let finalizers: Vec<Value> = finalizers.into_iter().map(Value::from).collect();
    let path = ["metadata", "finalizers"];
    match finalizers.is_empty() {
        true => drop(object.remove(&path)),
        false => object.set(&path, Value::Array(finalizers)),
    }
}
