//! VolumeBinding: a pod goes where its volumes are, or where volumes can be made for it.
//!
//! Claims that are bound tie the pod to the nodes that reach their volumes. Claims that wait for their first pod are
//! given volumes here: [`find`] looks for each node whether there are some or a provisioner may make them; for the node
//! that is chosen, [`books`] keeps what was promised, so that the next pod isn't promised the same; [`bind`] then tells
//! the binder and the provisioner through the API, and waits until the claims are bound.

mod bind;
mod books;
mod find;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use k8s_apimachinery::volume::claim::claims_of;
use k8s_runtime::Context;

use crate::{
    cache::{PodInfo, Snapshot},
    framework::{
        Change, ClusterEvent, Plugin, Points, PreBindPlugin, PreFilter, PreFilterPlugin,
        ReservePlugin, Verdict,
    },
};
use bind::Binder;
use books::Books;
use find::{Claims, Prepared};

/// The plugin's name.
pub const NAME: &str = "VolumeBinding";

/// Finds volumes for a pod's claims, and binds them.
#[derive(Default)]
pub struct VolumeBinding {
    books: Books,
    binder: OnceLock<Binder>,
}

impl Plugin for VolumeBinding {
    fn name(&self) -> &'static str {
        NAME
    }

    fn register(self: Arc<Self>, points: &mut Points) {
        points.pre_filter(self.clone()).reserve(self.clone());
        points.pre_bind(self);
    }

    /// The first scheduler's; a profile serves one.
    fn connect(&self, ctx: &Context) {
        self.binder.get_or_init(|| Binder::new(ctx));
    }

    fn events(&self) -> &'static [ClusterEvent] {
        &[
            ClusterEvent::NodeAdded,
            ClusterEvent::NodeLabelsChanged,
            ClusterEvent::PersistentVolumeClaimAdded,
            ClusterEvent::PersistentVolumeClaimUpdated,
            ClusterEvent::PersistentVolumeAdded,
            ClusterEvent::PersistentVolumeUpdated,
            ClusterEvent::StorageClassAdded,
            ClusterEvent::StorageClassUpdated,
            ClusterEvent::CsiDriverUpdated,
            ClusterEvent::CsiStorageCapacityAdded,
            ClusterEvent::CsiStorageCapacityUpdated,
        ]
    }

    /// Of claims, only the pod's own.
    fn may_help(&self, change: &Change, pod: &PodInfo) -> bool {
        let Some(claim) = &change.claim else {
            return true;
        };
        let mut names = claims_of(&pod.pod).map(|claim| claim.name);
        claim.metadata.namespace == pod.pod.metadata.namespace
            && names.any(|name| claim.metadata.name.as_ref() == Some(&name))
    }
}

impl PreFilterPlugin for VolumeBinding {
    fn pre_filter<'a>(&'a self, pod: &'a PodInfo, snapshot: &'a Snapshot) -> PreFilter<'a> {
        match self.prepare(pod, snapshot) {
            Ok(prepared) if prepared.is_empty() => Verdict::Skip.into(),
            Ok(prepared) => PreFilter::filter(move |node| match prepared.find(&node.node) {
                Ok(_) => Verdict::Success,
                Err(verdict) => verdict,
            }),
            Err(verdict) => verdict.into(),
        }
    }
}

impl ReservePlugin for VolumeBinding {
    fn reserve(&self, pod: &PodInfo, node: &str, snapshot: &Snapshot) -> Verdict {
        let found = self.prepare(pod, snapshot).and_then(|prepared| {
            let node = snapshot.node(node);
            let node = node.ok_or_else(|| Verdict::Error("the node is gone".to_owned()))?;
            prepared.find(&node.node)
        });
        match found {
            Ok(decision) => {
                self.books.promise(pod.uid(), decision, node);
                Verdict::Success
            }
            Err(verdict) => verdict,
        }
    }

    fn unreserve(&self, pod: &PodInfo, _node: &str) {
        self.books.release(pod.uid());
    }
}

#[async_trait]
impl PreBindPlugin for VolumeBinding {
    async fn pre_bind(&self, pod: &PodInfo, node: &str) -> Verdict {
        let Some(promise) = self.books.promised(pod.uid()) else {
            return Verdict::Success;
        };
        let Some(binder) = self.binder.get() else {
            return Verdict::Error("there is no API to bind volumes through".to_owned());
        };
        match binder.bind(pod, node, promise).await {
            Ok(()) => {
                // The cluster shows it by now.
                self.books.release(pod.uid());
                Verdict::Success
            }
            Err(message) => Verdict::Error(format!("binding volumes: {message}")),
        }
    }
}

impl VolumeBinding {
    fn prepare<'a>(&self, pod: &PodInfo, snapshot: &'a Snapshot) -> Result<Prepared<'a>, Verdict> {
        if claims_of(&pod.pod).next().is_none() {
            return Ok(Prepared::empty(snapshot.storage()));
        }
        let claims = Claims::of(&pod.pod, snapshot.storage(), &self.books)?;
        Ok(Prepared::new(claims, snapshot.storage(), &self.books))
    }
}
