//! The end of a pod that somebody wants off its node: if its disruption budget has room, which shrinks with the same
//! transaction.

use async_trait::async_trait;
use k8s_apimachinery::Object;
use k8s_store::{Compare, Op};

use super::{
    Write,
    delete::{Farewell, no_longer},
};
use crate::{
    ApiError,
    registry::{DeleteOptions, Effects, Preconditions, Registry, entry, policy::eviction, rfc3339},
};

impl Registry {
    /// Deletes a pod as [`delete`](Registry::delete) does, unless its disruption budget forbids it.
    pub async fn evict(&self, write: &Write<'_>, options: &DeleteOptions) -> Result<(), ApiError> {
        // A budget may have been charged through another server just now.
        self.cache.catch_up().await?;
        let eviction = Eviction(&options.preconditions);
        let options = DeleteOptions {
            preconditions: Preconditions::default(),
            ..options.clone()
        };
        self.delete_after(write, &options, &eviction).await?;
        Ok(())
    }
}

/// Asks the pod's budget. The preconditions are looked at after it.
struct Eviction<'a>(&'a Preconditions);

#[async_trait]
impl Farewell for Eviction<'_> {
    async fn say(
        &self,
        registry: &Registry,
        write: &Write<'_>,
        pod: &mut Object,
    ) -> Result<Effects, ApiError> {
        let now = rfc3339(registry.config().environment.now());
        let stored = registry.list("policy", "poddisruptionbudgets", write.namespace);
        let budgets = stored.iter().map(|each| each.entry.object());
        let charged = eviction::charge(pod, budgets, &now)?;
        self.check(write, pod)?;
        eviction::mark(pod, &now);
        let mut effects = Effects::default();
        if let Some(budget) = charged {
            let was = stored
                .iter()
                .find(|each| each.entry.name() == budget.name());
            let was = was.ok_or_else(|| ApiError::internal("a budget that was listed is gone"))?;
            let (key, value) = (was.key.clone(), entry::encode(&budget));
            let compare = Compare::Modified(key.clone(), was.modified);
            effects.compares.push(compare);
            effects.ops.push(Op::Put { key, value });
        }
        Ok(effects)
    }
}

impl Eviction<'_> {
    fn check(&self, write: &Write<'_>, pod: &Object) -> Result<(), ApiError> {
        let Preconditions {
            uid,
            resource_version,
        } = self.0;
        let differs = |wanted: &str, found: &str| !wanted.is_empty() && wanted != found;
        if let Some(uid) = uid.as_deref().filter(|uid| differs(uid, pod.uid())) {
            return Err(no_longer(
                write,
                format!(
                    "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have \
                     been deleted and then recreated",
                    pod.uid()
                ),
            ));
        }
        let found = pod.resource_version();
        let wanted = resource_version.as_deref();
        if let Some(version) = wanted.filter(|version| differs(version, found)) {
            return Err(no_longer(
                write,
                format!(
                    "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record \
                     ({found}). The object might have been modified"
                ),
            ));
        }
        Ok(())
    }
}
