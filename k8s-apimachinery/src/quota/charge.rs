//! The decision at a write: what each quota is charged, or why the write is refused; and what a removal gives back.

use super::{Evaluator, Footprint, Quota};
use crate::ResourceList;

/// A write, as quotas see it.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    evaluator: &'a Evaluator,
    new: &'a Footprint,
    old: Option<&'a Footprint>,
    is_refusable: bool,
}

/// One quota of several, with what is used of it after the write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Which of the quotas.
    pub index: usize,
    /// Its new `status.used`. May be the same as before: such a quota is written again nevertheless, see [`charge`].
    pub used: ResourceList,
}

impl<'a> Change<'a> {
    /// A new object.
    pub fn create(evaluator: &'a Evaluator, new: &'a Footprint) -> Self {
        Change {
            evaluator,
            new,
            old: None,
            is_refusable: true,
        }
    }

    /// An object that replaces another: only what it costs more is charged. What a status reports is charged, but can't
    /// be refused, since it has happened already.
    pub fn update(
        evaluator: &'a Evaluator,
        new: &'a Footprint,
        old: &'a Footprint,
        is_status: bool,
    ) -> Self {
        Change {
            evaluator,
            new,
            old: Some(old),
            is_refusable: !is_status,
        }
    }

    /// What the write costs a quota that covers the new object. The whole object, if it didn't cover the old one.
    fn cost(&self, quota: &Quota) -> ResourceList {
        let nothing = ResourceList::default();
        let old = self.old.filter(|old| quota.covers(&old.scopes));
        let before = old.map_or(&nothing, |old| &old.usage);
        self.new
            .usage
            .beyond(before)
            .only(|name| quota.hard.contains(name))
    }
}

/// Charges a write to the quotas of its namespace that cover it, or says in Kubernetes' words why it can't be.
///
/// A quota whose limits nobody has counted for yet refuses nothing. But somebody may be counting right now, without this
/// object; so the quota is written again as it is, and whoever counts has to count anew.
pub fn charge(quotas: &[Quota], change: &Change<'_>) -> Result<Vec<Charge>, String> {
    let tracked = |name: &str| change.evaluator.tracks(name);
    let covering = |quota: &&Quota| quota.covers(&change.new.scopes);
    let in_force = |quota: &&Quota| quota.hard.names().any(tracked);
    for quota in quotas.iter().filter(covering).filter(in_force) {
        let limits = |name: &str| tracked(name) && quota.hard.contains(name);
        if let Some(lacking) = change.new.lacks(limits) {
            return Err(format!("failed quota: {}: {lacking}", quota.name));
        }
        let limited: Vec<&str> = quota.hard.names().filter(|name| tracked(name)).collect();
        if limited.iter().any(|name| !quota.used.contains(name)) {
            let (name, limited) = (&quota.name, limited.join(","));
            return Err(format!(
                "status unknown for quota: {name}, resources: {limited}"
            ));
        }
    }
    let negative = change.new.usage.iter();
    let negative: Vec<&str> = negative
        .filter(|(_, amount)| amount.is_negative())
        .map(|(name, _)| name)
        .collect();
    if !negative.is_empty() {
        let names = negative.join(",");
        return Err(format!("quota usage is negative for resource(s): {names}"));
    }
    let mut charges = Vec::new();
    for (index, quota) in quotas.iter().enumerate() {
        if !covering(&quota) {
            continue;
        }
        let cost = change.cost(quota);
        let mut used = quota.used.clone();
        used.add(&cost);
        if change.is_refusable {
            check(quota, &cost, &used)?;
        }
        let is_uncounted = |name: &str| tracked(name) && !quota.hard.contains(name);
        if !cost.is_empty() || quota.wanted.names().any(is_uncounted) {
            charges.push(Charge { index, used });
        }
    }
    Ok(charges)
}

/// Gives back what an object costs that is removed. A quota that is short of it, since it was counted otherwise before,
/// goes down to nothing: whoever counts will set it right.
pub fn release(quotas: &[Quota], evaluator: &Evaluator, old: &Footprint) -> Vec<Charge> {
    let covering = quotas.iter().enumerate();
    let covering = covering.filter(|(_, quota)| quota.covers(&old.scopes));
    let charges = covering.map(|(index, quota)| {
        let freed = old.usage.only(|name| {
            evaluator.tracks(name) && quota.hard.contains(name) && quota.used.contains(name)
        });
        let mut used = quota.used.clone();
        used.take(&freed);
        Charge { index, used }
    });
    charges
        .filter(|charge| charge.used != quotas[charge.index].used)
        .collect()
}

fn check(quota: &Quota, cost: &ResourceList, used: &ResourceList) -> Result<(), String> {
    let is_exceeded = |name: &str| quota.hard.get(name) < used.get(name);
    let exceeded = cost.only(is_exceeded);
    if exceeded.is_empty() {
        return Ok(());
    }
    let of = |list: &ResourceList| list.only(|name| exceeded.contains(name));
    Err(format!(
        "exceeded quota: {}, requested: {exceeded}, used: {}, limited: {}",
        quota.name,
        of(&quota.used),
        of(&quota.hard)
    ))
}

#[cfg(test)]
mod tests;
