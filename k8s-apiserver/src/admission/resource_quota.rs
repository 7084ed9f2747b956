//! Quotas of a namespace: each write that uses more is charged, in its own transaction, or refused.

use std::sync::Arc;

use async_trait::async_trait;
use k8s_apimachinery::{
    Object,
    quota::{self, Change, Charge, Evaluator, Quota},
};

use super::{Admission, Operation, Review};
use crate::{
    ApiError,
    registry::{Effects, Stored},
};

/// Holds what is written against the namespace's ResourceQuotas.
///
/// A charge is a new `status.used` of the quota, under the condition that nobody has written the quota since it was
/// read. It commits together with the object, or neither does; whoever loses the race decides again on what is used
/// by then. So the last of a quota goes to exactly one. What an object is removed with gives its charge back in the same
/// way. All else that frees something (a pod that ends, a service that becomes simpler) is seen by the controller that
/// counts.
#[derive(Debug, Clone, Copy)]
pub struct ResourceQuota;

#[async_trait]
impl Admission for ResourceQuota {
    fn name(&self) -> &'static str {
        "ResourceQuota"
    }

    async fn validate(
        &self,
        review: &Review<'_>,
        object: Option<&Object>,
    ) -> Result<Effects, ApiError> {
        let (Some(new), Some(evaluator)) = (object, evaluator(review)) else {
            return Ok(Effects::default());
        };
        let quotas = Quotas::of(review);
        if quotas.is_empty() {
            return Ok(Effects::default());
        }
        let now = review.view.config().environment.now();
        let footprint = evaluator.footprint(new, now);
        let old = review.old.map(|old| evaluator.footprint(old, now));
        let change = match (review.operation, review.subresource, &old) {
            (Operation::Create, "", None) => Change::create(&evaluator, &footprint),
            (Operation::Update, part, Some(old))
                if evaluator.charges_update(part, old, &footprint) =>
            {
                Change::update(&evaluator, &footprint, old, part == "status")
            }
            _ => return Ok(Effects::default()),
        };
        let charges = quota::charge(&quotas.read, &change);
        let charges = charges.map_err(|refusal| review.forbidden(refusal))?;
        Ok(quotas.written(charges))
    }

    fn remove(&self, review: &Review<'_>, old: &Object) -> Effects {
        let Some(evaluator) = evaluator(review) else {
            return Effects::default();
        };
        let mut quotas = Quotas::of(review);
        if evaluator.plural == "resourcequotas" && evaluator.group.is_empty() {
            quotas.forget(old.name());
        }
        if quotas.is_empty() {
            return Effects::default();
        }
        let now = review.view.config().environment.now();
        let footprint = evaluator.footprint(old, now);
        quotas.written(quota::release(&quotas.read, &evaluator, &footprint))
    }
}

/// What counts the object, if it lies in a namespace and is counted at all.
fn evaluator(review: &Review<'_>) -> Option<Evaluator> {
    let row = &review.resource.row;
    let is_counted = row.namespaced && !review.namespace.is_empty();
    is_counted.then(|| Evaluator::of(&row.group, &row.plural))?
}

/// The quotas of a namespace, as they are stored and as they are read.
struct Quotas {
    stored: Vec<Arc<Stored>>,
    read: Vec<Quota>,
}

impl Quotas {
    fn of(review: &Review<'_>) -> Self {
        let stored = review.view.list("", "resourcequotas", review.namespace);
        let read = stored.iter().map(|each| Quota::read(&each.entry.object()));
        Quotas {
            read: read.collect(),
            stored,
        }
    }

    fn is_empty(&self) -> bool {
        self.stored.is_empty()
    }

    /// Leaves out a quota that is itself removed.
    fn forget(&mut self, name: &str) {
        self.stored.retain(|stored| stored.entry.name() != name);
        self.read.retain(|quota| quota.name != name);
    }

    fn written(&self, charges: Vec<Charge>) -> Effects {
        let mut effects = Effects::default();
        for Charge { index, used } in charges {
            let stored = &self.stored[index];
            let mut object = stored.entry.object();
            // A quota that is written as it is doesn't get an empty list.
            if !used.is_empty() {
                object.set(&["status", "used"], used.to_value());
            }
            effects.replace(stored, &object);
        }
        effects
    }
}
