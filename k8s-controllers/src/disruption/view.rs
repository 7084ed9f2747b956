//! What a budget's plan is made from: itself, its pods, and how many pods their controllers want.

use std::{collections::BTreeMap, sync::Arc};

use k8s_apimachinery::int_or_string::IntOrString;
use k8s_openapi::{
    api::{core::v1::Pod, policy::v1::PodDisruptionBudget},
    apimachinery::pkg::util::intstr,
};

use super::selector;

/// How many pods a controller wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scale {
    /// Whose wish it is: a ReplicaSet's pods are its Deployment's.
    pub(super) uid: String,
    pub(super) replicas: i32,
}

/// What became of the search for a pod's controller: none that is known, or why it failed.
pub(super) type Found = Result<Option<Scale>, String>;

/// An immutable picture of a budget and what it covers.
pub(super) struct View {
    pub(super) budget: Arc<PodDisruptionBudget>,
    /// Its pods, whatever their state, or why its selector can't be read.
    pub(super) pods: Vec<Arc<Pod>>,
    pub(super) unreadable: Option<String>,
    /// By the uid in the pods' controller references; filled only where it [`matters`](View::needs_scales).
    pub(super) owners: BTreeMap<String, Found>,
}

/// What a budget promises.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Bound {
    MaxUnavailable(IntOrString),
    MinAvailable(IntOrString),
    /// Nothing.
    None,
}

impl View {
    /// The budget with those of its namespace's pods that it covers.
    pub(super) fn new(budget: Arc<PodDisruptionBudget>, all: &[Arc<Pod>]) -> Self {
        let selector = selector::of(&budget);
        let (pods, unreadable) = match &selector {
            Ok(selector) => {
                let covered = all.iter().filter(|pod| selector::matches(selector, pod));
                (covered.cloned().collect(), None)
            }
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        Self {
            budget,
            pods,
            unreadable,
            owners: BTreeMap::new(),
        }
    }

    pub(super) fn bound(&self) -> Bound {
        let spec = self.budget.spec.as_ref();
        let max = spec.and_then(|spec| spec.max_unavailable.as_ref());
        let min = spec.and_then(|spec| spec.min_available.as_ref());
        match (max, min) {
            (Some(max), _) => Bound::MaxUnavailable(amount(max)),
            (None, Some(min)) => Bound::MinAvailable(amount(min)),
            (None, None) => Bound::None,
        }
    }

    /// Whether the bound can only be told from what the controllers want. A fixed number that must be available can
    /// be told from the pods alone.
    pub(super) fn needs_scales(&self) -> bool {
        !matches!(
            self.bound(),
            Bound::None | Bound::MinAvailable(IntOrString::Int(_))
        )
    }
}

fn amount(amount: &intstr::IntOrString) -> IntOrString {
    match amount {
        intstr::IntOrString::Int(number) => IntOrString::Int(*number),
        intstr::IntOrString::String(text) => IntOrString::String(text.clone()),
    }
}
