//! SchedulingGates: a pod with gates isn't queued until all of them are lifted.

use std::sync::Arc;

use crate::{
    cache::PodInfo,
    framework::{Plugin, Points, PreEnqueuePlugin, Verdict},
};

/// The plugin's name.
pub const NAME: &str = "SchedulingGates";

/// Keeps pods with `spec.schedulingGates` out of the queue. A change of the pod looks again.
pub struct SchedulingGates;

impl Plugin for SchedulingGates {
    fn name(&self) -> &'static str {
        NAME
    }

    fn register(self: Arc<Self>, points: &mut Points) {
        points.pre_enqueue(self);
    }
}

impl PreEnqueuePlugin for SchedulingGates {
    fn pre_enqueue(&self, pod: &PodInfo) -> Verdict {
        let gates = pod.spec().and_then(|spec| spec.scheduling_gates.as_deref());
        let names: Vec<_> = gates
            .unwrap_or_default()
            .iter()
            .map(|g| g.name.as_str())
            .collect();
        if names.is_empty() {
            return Verdict::Success;
        }
        let names = names.join(" ");
        Verdict::unresolvable(format!("waiting for scheduling gates: [{names}]"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::pod;

    #[test]
    fn gates_are_named_until_they_are_gone() {
        let gated = pod("a").spec(json!({"schedulingGates": [{"name": "a"}, {"name": "b"}]}));
        let verdict = SchedulingGates.pre_enqueue(&gated.info());
        assert_eq!(verdict.reasons(), ["waiting for scheduling gates: [a b]"]);
        assert!(SchedulingGates.pre_enqueue(&pod("a").info()).is_success());
    }
}
