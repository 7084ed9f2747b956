//! One trait per extension point. A plugin implements those that it serves, and registers for them.
//!
//! All but the last three are synchronous over values that nobody changes, so that a decision can be
//! replayed. They report; the framework acts: it evicts, waits, retries and writes.

use std::{cmp::Ordering, collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use k8s_runtime::Context;

use super::{Change, ClusterEvent, Points, Verdict};
use crate::{
    cache::{NodeInfo, PodInfo, Snapshot},
    cycle::Rejections,
    queue::QueuedPod,
};

/// Highest score of a node after normalisation; the lowest is 0.
pub const MAX_SCORE: i64 = 100;

/// What all plugins have: a name, and a list of the extension points that they serve.
pub trait Plugin: Send + Sync + 'static {
    /// The name in configuration, diagnoses and explanations. Unique within a profile.
    fn name(&self) -> &'static str;

    /// Adds this plugin to each extension point that it serves.
    fn register(self: Arc<Self>, points: &mut Points);

    /// Called once when a scheduler is built, and never when decisions are only replayed: a plugin that speaks to the
    /// API before binding keeps what it needs.
    fn connect(&self, _ctx: &Context) {}

    /// The events that could make a pod fit which this plugin turned away. A pod waits until one
    /// of them happens (or five minutes have passed).
    fn events(&self) -> &'static [ClusterEvent] {
        &[]
    }

    /// Looks closer at one of those events: could it help this pod? When in doubt, yes.
    fn may_help(&self, _change: &Change, _pod: &PodInfo) -> bool {
        true
    }
}

/// Decides whether a pod may be queued at all.
pub trait PreEnqueuePlugin: Send + Sync + 'static {
    /// Called when the pod appears and whenever it changes; anything but success keeps it out.
    fn pre_enqueue(&self, pod: &PodInfo) -> Verdict;
}

/// Orders the queue. A profile uses the last one registered.
pub trait QueueSortPlugin: Send + Sync + 'static {
    /// Which pod comes first. Pods that compare equal come in the order of their arrival.
    fn compare(&self, a: &QueuedPod, b: &QueuedPod) -> Ordering;
}

/// A node's filter that has been prepared for one pod.
pub type NodeFilter<'a> = Box<dyn Fn(&NodeInfo) -> Verdict + Send + Sync + 'a>;

/// What a PreFilter plugin found out about a pod.
pub struct PreFilter<'a> {
    /// A rejection ends the cycle; `Skip` leaves this plugin's Filter out.
    pub verdict: Verdict,
    /// When given, only these nodes are looked at.
    pub nodes: Option<BTreeSet<String>>,
    /// When given, stands in for this plugin's Filter: what was computed once travels inside it.
    pub filter: Option<NodeFilter<'a>>,
}

impl<'a> PreFilter<'a> {
    /// Looks only at these nodes.
    pub fn nodes(nodes: BTreeSet<String>) -> Self {
        Self {
            nodes: Some(nodes),
            ..Verdict::Success.into()
        }
    }

    /// Filters nodes with what was prepared here.
    pub fn filter(filter: impl Fn(&NodeInfo) -> Verdict + Send + Sync + 'a) -> Self {
        Self {
            filter: Some(Box::new(filter)),
            ..Verdict::Success.into()
        }
    }
}

impl From<Verdict> for PreFilter<'_> {
    fn from(verdict: Verdict) -> Self {
        Self {
            verdict,
            nodes: None,
            filter: None,
        }
    }
}

/// Looks at a pod once, before any node is looked at.
pub trait PreFilterPlugin: Send + Sync + 'static {
    /// May reject the pod, narrow down the nodes, or prepare a filter.
    fn pre_filter<'a>(&'a self, pod: &'a PodInfo, snapshot: &'a Snapshot) -> PreFilter<'a>;
}

/// Decides whether a pod can run on a node.
pub trait FilterPlugin: Send + Sync + 'static {
    /// Called for each node until one filter rejects it.
    fn filter(&self, pod: &PodInfo, node: &NodeInfo) -> Verdict;
}

/// What a PostFilter plugin proposes for a pod that fits nowhere.
pub struct PostFilter {
    /// Success when the pod may fit once the victims are gone.
    pub verdict: Verdict,
    /// Ends the message that users read, such as `preemption: ...`.
    pub message: String,
    /// Where the pod shall go then.
    pub node: Option<String>,
    /// The pods to evict; the framework does it.
    pub victims: Vec<Arc<PodInfo>>,
}

/// Makes room for a pod that fits nowhere, or says why it can't.
pub trait PostFilterPlugin: Send + Sync + 'static {
    /// Called when every node was rejected, with the reasons.
    fn post_filter(
        &self,
        pod: &PodInfo,
        snapshot: &Snapshot,
        rejections: &Rejections,
    ) -> PostFilter;
}

/// A node's score that has been prepared for one pod.
pub type NodeScore<'a> = Box<dyn Fn(&NodeInfo) -> i64 + Send + Sync + 'a>;

/// What a PreScore plugin found out about a pod and the nodes where it fits.
pub struct PreScore<'a> {
    /// `Skip` leaves this plugin's Score out.
    pub verdict: Verdict,
    /// When given, stands in for this plugin's Score.
    pub score: Option<NodeScore<'a>>,
}

impl<'a> PreScore<'a> {
    /// Scores nodes with what was prepared here.
    pub fn score(score: impl Fn(&NodeInfo) -> i64 + Send + Sync + 'a) -> Self {
        Self {
            score: Some(Box::new(score)),
            ..Verdict::Success.into()
        }
    }
}

impl From<Verdict> for PreScore<'_> {
    fn from(verdict: Verdict) -> Self {
        Self {
            verdict,
            score: None,
        }
    }
}

/// Looks once at a pod and all the nodes where it fits, before they are scored.
pub trait PreScorePlugin: Send + Sync + 'static {
    /// May leave out scoring, or prepare it.
    fn pre_score<'a>(
        &'a self,
        pod: &'a PodInfo,
        nodes: &'a [Arc<NodeInfo>],
        snapshot: &'a Snapshot,
    ) -> PreScore<'a>;
}

/// Says how well a pod would run on a node.
pub trait ScorePlugin: Send + Sync + 'static {
    /// Any number for each node, so long as [`normalize`](Self::normalize) brings them into range.
    fn score(&self, pod: &PodInfo, node: &NodeInfo) -> i64;

    /// Brings the scores of all nodes into 0 to [`MAX_SCORE`].
    fn normalize(&self, _scores: &mut [i64]) {}
}

/// Keeps books of its own about what has been promised.
pub trait ReservePlugin: Send + Sync + 'static {
    /// A node was chosen, on this snapshot. Touches nothing but the plugin's own state.
    fn reserve(&self, pod: &PodInfo, node: &str, snapshot: &Snapshot) -> Verdict;
    /// Binding failed or was denied; also called when `reserve` itself was never reached.
    fn unreserve(&self, pod: &PodInfo, node: &str);
}

/// Lets a pod pass, denies it, or has it wait.
pub trait PermitPlugin: Send + Sync + 'static {
    /// Called after the reservation. `Wait` holds the pod until
    /// [`WaitingPods::allow`](crate::WaitingPods::allow), and rejects it when the time is over.
    fn permit(&self, pod: &PodInfo, node: &str) -> Verdict;
}

/// Prepares binding, such as by provisioning a volume.
#[async_trait]
pub trait PreBindPlugin: Send + Sync + 'static {
    /// Anything but success gives the node up.
    async fn pre_bind(&self, pod: &PodInfo, node: &str) -> Verdict;
}

/// Binds the pod to its node.
#[async_trait]
pub trait BindPlugin: Send + Sync + 'static {
    /// `Skip` leaves it to the next; the first that doesn't decides.
    async fn bind(&self, pod: &PodInfo, node: &str) -> Verdict;
}

/// Is told of pods that were bound.
#[async_trait]
pub trait PostBindPlugin: Send + Sync + 'static {
    /// For information only.
    async fn post_bind(&self, pod: &PodInfo, node: &str);
}

/// Scales scores so that the greatest becomes [`MAX_SCORE`]; `reversed` makes the least the best.
pub fn normalize_to_max(scores: &mut [i64], reversed: bool) {
    let max = scores.iter().copied().max().unwrap_or(0);
    for score in scores {
        let scaled = (*score * MAX_SCORE).checked_div(max).unwrap_or(0);
        *score = if reversed { MAX_SCORE - scaled } else { scaled };
    }
}
