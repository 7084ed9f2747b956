//! All that can wake the agent.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;

use crate::eviction::Eviction;

/// Something that the agent's loop reacts to. Closed: what isn't here can't happen.
#[derive(Clone, Debug)]
pub enum Event {
    /// A pod of this node exists, in this state.
    Pod(Arc<Pod>),
    /// A pod of this node is gone from the API; this is its last state.
    Gone(Arc<Pod>),
    /// All pods that the API has for this node have been announced: what else runs is left over.
    Synced,
    /// The runtime has something new about a pod.
    Runtime {
        /// The pod's uid.
        uid: String,
    },
    /// A probe has changed its mind about a container of a pod.
    Probe {
        /// The pod's uid.
        uid: String,
    },
    /// These are all pods that files on the node define.
    Static(Vec<Arc<Pod>>),
    /// A pod is to be put out.
    Evict {
        /// The pod's uid.
        uid: String,
        /// Why, and how.
        eviction: Eviction,
    },
    /// A pod has given back what it was promised.
    Room,
    /// Time to look for what is left over.
    Housekeeping,
    /// A pod's worker has nothing more to do, ever.
    Finished {
        /// The pod's uid.
        uid: String,
    },
}
