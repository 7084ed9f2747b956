//! What the node has promised to its pods: who was admitted, and with which resources.
//!
//! A pod's spec says what is *desired*; what is *allocated* is what the node agreed to, first when it
//! [admitted](admit) the pod and then with each [resize](resize) (KEP-1287). Workers run pods as allocated.
//! Allocations are checkpointed, so that a resize which comes while the agent is away is weighed like any
//! other. The agent's loop is the only one that decides here; workers read.

mod admit;
mod checkpoint;
mod event;
mod resize;
mod resources;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod};

pub(crate) use self::{
    admit::{Ground, Rejection, is_critical},
    checkpoint::Checkpoint,
    event::{ResizeEvent, message, tell},
    resize::{Pending, PendingReason},
    resources::{Claims, asked, claims, differ, with_claims},
};
use crate::eviction::Pressures;

/// A pod's uid.
type Uid = String;

/// The promises of one node.
pub(crate) struct Allocations {
    /// Where pods' checkpoints are, one in each pod's directory; without it nothing is kept.
    pods_dir: Option<PathBuf>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// The node as the API has it, or as it is about to be registered.
    node: Arc<Node>,
    pressures: Pressures,
    pods: BTreeMap<Uid, Promise>,
}

struct Promise {
    desired: Arc<Pod>,
    /// The pod with the resources that it was promised.
    allocated: Arc<Pod>,
    /// The generation of the resize that was promised last, if any was.
    generation: Option<i64>,
    pending: Option<(Pending, Timestamp)>,
}

/// A pod as its worker is to run it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allocation {
    /// The pod with the resources that it was promised.
    pub(crate) pod: Arc<Pod>,
    /// The generation of the resize that was promised last.
    pub(crate) generation: Option<i64>,
    /// Why what is desired isn't promised.
    pub(crate) pending: Option<Pending>,
}

/// What came of looking at a resize again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The pod was promised what it wants.
    Promised,
    /// It has to wait, or to give up.
    Pending(Pending),
    /// It wants what it has, again.
    Withdrawn,
}

impl Allocations {
    /// No promises, on this node.
    pub(crate) fn new(node: Node, pods_dir: Option<PathBuf>) -> Self {
        let held = Held {
            node: Arc::new(node),
            ..Held::default()
        };
        Self {
            pods_dir,
            held: Mutex::new(held),
        }
    }

    /// The node is like this now.
    pub(crate) fn set_node(&self, node: Arc<Node>) {
        self.held().node = node;
    }

    /// The node as it was last seen.
    pub(crate) fn node(&self) -> Arc<Node> {
        self.held().node.clone()
    }

    /// The node is short of this now.
    pub(crate) fn set_pressures(&self, pressures: Pressures) {
        self.held().pressures = pressures;
    }

    /// What the node is short of.
    pub(crate) fn pressures(&self) -> Pressures {
        self.held().pressures.clone()
    }

    /// Promises the pod what it was promised in an earlier life of the agent, or what it asks for; says why not.
    pub(crate) fn admit(&self, pod: &Arc<Pod>) -> Result<(), Rejection> {
        let uid = uid(pod);
        let kept = self.checkpoint(&uid).map(|checkpoint| checkpoint.read());
        let kept = kept.and_then(|kept| kept.allocated);
        let allocated = match &kept {
            Some(claims) => with_claims(pod, claims),
            None => pod.clone(),
        };
        let has_started = pod
            .status
            .as_ref()
            .is_some_and(|status| status.start_time.is_some());
        let mut held = self.held();
        let others = held.others(&uid);
        let is_running = kept.is_some() && has_started;
        admit::admit(&allocated, &others, &held.ground(), is_running)?;
        if kept.is_none() {
            self.keep(&uid, &allocated);
        }
        let promise = Promise {
            desired: pod.clone(),
            allocated,
            generation: None,
            pending: None,
        };
        held.pods.insert(uid, promise);
        Ok(())
    }

    /// Takes note of a promised pod's newest state; whether it wants other resources than it did.
    pub(crate) fn see(&self, pod: &Arc<Pod>) -> bool {
        let mut held = self.held();
        let Some(promise) = held.pods.get_mut(&uid(pod)) else {
            return false;
        };
        let is_new = differ(&claims(pod), &claims(&promise.desired));
        promise.desired = pod.clone();
        promise.allocated = with_claims(pod, &claims(&promise.allocated));
        is_new
    }

    /// Looks at every wish for other resources, the most urgent first; what came of those where something changed.
    pub(crate) fn retry(&self, now: Timestamp) -> Vec<(Uid, Outcome)> {
        let mut held = self.held();
        let mut outcomes = Vec::new();
        for uid in resize::in_order(&held.wishes()) {
            let others = held.others(&uid);
            let Some(promise) = held.pods.get(&uid) else {
                continue;
            };
            let verdict = resize::decide(&promise.desired, &others, &held.ground());
            let Some(promise) = held.pods.get_mut(&uid) else {
                continue;
            };
            match verdict {
                Ok(()) => {
                    promise.allocated = promise.desired.clone();
                    promise.generation = promise.desired.metadata.generation;
                    promise.pending = None;
                    self.keep(&uid, &promise.allocated);
                    outcomes.push((uid, Outcome::Promised));
                }
                Err(pending) => {
                    let before = promise.pending.as_ref();
                    if before.is_some_and(|(before, _)| *before == pending) {
                        continue;
                    }
                    let since = before.map_or(now, |(_, since)| *since);
                    promise.pending = Some((pending.clone(), since));
                    outcomes.push((uid, Outcome::Pending(pending)));
                }
            }
        }
        // A wish that was taken back pends no more.
        for (uid, promise) in &mut held.pods {
            if !promise.is_wishing() && promise.pending.take().is_some() {
                outcomes.push((uid.clone(), Outcome::Withdrawn));
            }
        }
        outcomes
    }

    /// The pod as it is to run.
    pub(crate) fn of(&self, pod: &Arc<Pod>) -> Allocation {
        match self.held().pods.get(&uid(pod)) {
            Some(promise) => Allocation {
                pod: with_claims(pod, &claims(&promise.allocated)),
                generation: promise.generation,
                pending: promise.pending.as_ref().map(|(pending, _)| pending.clone()),
            },
            None => Allocation {
                pod: pod.clone(),
                ..Allocation::default()
            },
        }
    }

    /// The pods that hold resources: admitted, and not ended yet.
    pub(crate) fn active(&self) -> Vec<Arc<Pod>> {
        let held = self.held();
        let pods = held.pods.values();
        pods.map(|promise| promise.allocated.clone()).collect()
    }

    /// Whether the pod holds resources.
    pub(crate) fn is_active(&self, uid: &str) -> bool {
        self.held().pods.contains_key(uid)
    }

    /// The pod has ended: what it was promised is free.
    pub(crate) fn release(&self, uid: &str) {
        self.held().pods.remove(uid);
    }

    /// The checkpoint of a pod, if any are kept.
    pub(crate) fn checkpoint(&self, uid: &str) -> Option<Checkpoint> {
        let dir = self.pods_dir.as_ref()?;
        Some(Checkpoint::in_dir(&dir.join(uid)))
    }

    fn keep(&self, uid: &str, allocated: &Pod) {
        let Some(checkpoint) = self.checkpoint(uid) else {
            return;
        };
        if let Err(error) = checkpoint.set_allocated(claims(allocated)) {
            tracing::warn!(uid, %error, "what a pod was promised can't be kept");
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn ground(&self) -> Ground<'_> {
        Ground {
            node: &self.node,
            pressures: &self.pressures,
        }
    }

    fn others(&self, uid: &str) -> Vec<Arc<Pod>> {
        let others = self.pods.iter().filter(|(other, _)| *other != uid);
        others
            .map(|(_, promise)| promise.allocated.clone())
            .collect()
    }

    fn wishes(&self) -> Vec<resize::Wish<'_>> {
        let wishing = self.pods.iter().filter(|(_, promise)| promise.is_wishing());
        wishing
            .map(|(uid, promise)| resize::Wish {
                uid,
                desired: &promise.desired,
                allocated: &promise.allocated,
                since: promise.pending.as_ref().map(|(_, since)| *since),
            })
            .collect()
    }
}

impl Promise {
    fn is_wishing(&self) -> bool {
        differ(&claims(&self.desired), &claims(&self.allocated))
    }
}

fn uid(pod: &Pod) -> Uid {
    pod.metadata.uid.clone().unwrap_or_default()
}

#[cfg(test)]
mod tests;
