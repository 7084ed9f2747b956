//! Whether a running pod gets the other resources that it wants, and who comes first. Pure.

use std::{cmp::Reverse, sync::Arc};

use jiff::Timestamp;
use k8s_apimachinery::pod::{
    qos::{self, QosClass},
    request,
};
use k8s_openapi::api::core::v1::Pod;

use super::{Uid, admit, admit::Ground, asked};

/// Why a resize isn't allocated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    /// Whether there is hope.
    pub(crate) reason: PendingReason,
    /// More.
    pub(crate) message: String,
}

/// Whether a resize that isn't allocated may be later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PendingReason {
    /// When others give something back.
    Deferred,
    /// Never on this node.
    Infeasible,
}

impl PendingReason {
    /// As the condition spells it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Deferred => "Deferred",
            Self::Infeasible => "Infeasible",
        }
    }
}

/// A pod that wants other resources than it was promised.
pub(super) struct Wish<'a> {
    pub(super) uid: &'a Uid,
    pub(super) desired: &'a Pod,
    pub(super) allocated: &'a Pod,
    /// Since when it has been waiting, if it was looked at before.
    pub(super) since: Option<Timestamp>,
}

/// Whether the pod gets what it wants, beside the others.
pub(super) fn decide(
    desired: &Pod,
    others: &[Arc<Pod>],
    ground: &Ground<'_>,
) -> Result<(), Pending> {
    let wanted = request::requests(&asked(desired));
    let capacity = admit::allocatable(ground.node);
    let excess = ["memory", "cpu"]
        .into_iter()
        .find(|name| wanted.get(name) > capacity.get(name));
    if let Some(name) = excess {
        let (requested, capacity) = (wanted.get(name), capacity.get(name));
        return Err(Pending {
            reason: PendingReason::Infeasible,
            message: format!(
                "Node didn't have enough capacity: {name}, requested: {requested}, capacity: {capacity}"
            ),
        });
    }
    let deferred = |message| Pending {
        reason: PendingReason::Deferred,
        message,
    };
    admit::pressure(desired, ground.pressures).map_err(|refusal| deferred(refusal.message))?;
    match admit::lack(desired, others, ground.node) {
        Some(message) => Err(deferred(message)),
        None => Ok(()),
    }
}

/// The pods in the order in which they are looked at: those that ask for no more than they have, then by priority,
/// then guaranteed ones, then those that have been waiting longest.
pub(super) fn in_order(wishes: &[Wish<'_>]) -> Vec<Uid> {
    let mut order: Vec<&Wish<'_>> = wishes.iter().collect();
    order.sort_by_key(|wish| {
        let priority = wish.desired.spec.as_ref().and_then(|spec| spec.priority);
        (
            is_increasing(wish),
            Reverse(priority.unwrap_or(0)),
            qos::class(wish.desired) != QosClass::Guaranteed,
            wish.since.unwrap_or(Timestamp::MAX),
        )
    });
    order.into_iter().map(|wish| wish.uid.clone()).collect()
}

fn is_increasing(wish: &Wish<'_>) -> bool {
    let (old, new) = (
        request::requests(&asked(wish.allocated)),
        request::requests(&asked(wish.desired)),
    );
    new.memory > old.memory || new.milli_cpu > old.milli_cpu
}
