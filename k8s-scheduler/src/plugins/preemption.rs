//! PreemptionAdvice: says why evicting pods would not help a pod that fits nowhere. Evicting is not
//! its business: where pods of lower priority run on a promising node, it says nothing.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    cache::{PodInfo, Snapshot},
    cycle::{Rejections, summarize},
    framework::{Plugin, Points, PostFilter, PostFilterPlugin, Verdict},
};

/// The plugin's name.
pub const NAME: &str = "PreemptionAdvice";

/// Ends the message of an unschedulable pod with `preemption: ...`.
pub struct PreemptionAdvice;

impl Plugin for PreemptionAdvice {
    fn name(&self) -> &'static str {
        NAME
    }

    fn register(self: Arc<Self>, points: &mut Points) {
        points.post_filter(self);
    }
}

impl PostFilterPlugin for PreemptionAdvice {
    fn post_filter(
        &self,
        pod: &PodInfo,
        snapshot: &Snapshot,
        rejections: &Rejections,
    ) -> PostFilter {
        PostFilter {
            verdict: Verdict::Skip,
            message: advise(pod, snapshot, rejections).unwrap_or_default(),
            node: None,
            victims: Vec::new(),
        }
    }
}

fn advise(pod: &PodInfo, snapshot: &Snapshot, rejections: &Rejections) -> Option<String> {
    let promising: Vec<_> = rejections.resolvable().collect();
    let mut victims = promising.iter().flat_map(|node| &node.pods);
    if victims.any(|other| other.priority < pod.priority) {
        return None;
    }
    let hopeless = snapshot.nodes().len() - promising.len();
    let reasons = BTreeMap::from([
        (
            "Preemption is not helpful for scheduling".to_owned(),
            hopeless,
        ),
        (
            "No preemption victims found for incoming pod".to_owned(),
            promising.len(),
        ),
    ]);
    let summary = summarize(snapshot.nodes().len(), &reasons);
    Some(format!("preemption: {summary}"))
}
