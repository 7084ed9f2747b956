//! What a node's silence or its own report means: conditions, taints, and pods that don't serve.

use std::time::Duration;

use jiff::Timestamp;
use k8s_apimachinery::pod::taint::{
    self, NO_EXECUTE, NO_SCHEDULE, NODE_DISK_PRESSURE, NODE_MEMORY_PRESSURE,
    NODE_NETWORK_UNAVAILABLE, NODE_NOT_READY, NODE_PID_PRESSURE, NODE_UNREACHABLE,
    NODE_UNSCHEDULABLE,
};
use k8s_openapi::{
    api::core::v1::{Node, NodeCondition, Taint},
    apimachinery::pkg::apis::meta::v1::Time,
};

/// A node that has been silent for longer is no longer believed.
const GRACE: Duration = Duration::from_secs(50);
/// So much time a node has from its creation to say for the first time whether it is ready.
const STARTUP_GRACE: Duration = Duration::from_secs(60);

/// What to do about a node.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    /// New conditions, if they change.
    pub(super) conditions: Option<Vec<NodeCondition>>,
    /// New taints, if they change.
    pub(super) taints: Option<Vec<Taint>>,
    /// Whether its pods may be reported as ready: as long as it hasn't said anything, nobody knows better than they.
    pub(super) is_ready: bool,
    /// When its silence will have lasted too long.
    pub(super) again: Option<Duration>,
}

/// What to do now, after so much `silence`. Without `may_evict`, pods stay where they are: when
/// every node seems lost, it is more likely that this controller is.
pub(super) fn plan(node: &Node, silence: Duration, may_evict: bool, now: Timestamp) -> Plan {
    let before = conditions_of(node);
    let grace = if reports(before) {
        GRACE
    } else {
        STARTUP_GRACE
    };
    let is_silent = silence > grace;
    let after = if is_silent {
        doubted(node, now)
    } else {
        before.to_vec()
    };
    let taints = taints(node, &after, may_evict, now);
    Plan {
        is_ready: !reports(&after) || status(&after, "Ready") == "True",
        conditions: (after != before).then_some(after),
        taints: (taints != taint::taints(node)).then_some(taints),
        again: (!is_silent).then(|| grace - silence + Duration::from_secs(1)),
    }
}

/// The node's own report, believed or not.
pub(super) fn conditions_of(node: &Node) -> &[NodeCondition] {
    let status = node.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_deref());
    conditions.unwrap_or_default()
}

/// The status of a condition; `Unknown` when it was never reported.
pub(super) fn status<'a>(conditions: &'a [NodeCondition], kind: &str) -> &'a str {
    let condition = conditions.iter().find(|known| known.type_ == kind);
    condition.map_or("Unknown", |condition| &condition.status)
}

/// Whether the node has ever said if it is ready.
fn reports(conditions: &[NodeCondition]) -> bool {
    conditions.iter().any(|known| known.type_ == "Ready")
}

/// What the node's agent reports, as unknown. What it never reported is unknown since the node was made.
fn doubted(node: &Node, now: Timestamp) -> Vec<NodeCondition> {
    let mut after = conditions_of(node).to_vec();
    for kind in ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] {
        let transition = Some(Time(now));
        match after.iter_mut().find(|known| known.type_ == kind) {
            Some(known) if known.status == "Unknown" => {}
            Some(known) => {
                known.status = "Unknown".into();
                known.reason = Some("NodeStatusUnknown".into());
                known.message = Some("Kubelet stopped posting node status.".into());
                known.last_transition_time = transition;
            }
            None => after.push(NodeCondition {
                type_: kind.into(),
                status: "Unknown".into(),
                reason: Some("NodeStatusNeverUpdated".into()),
                message: Some("Kubelet never posted node status.".into()),
                last_heartbeat_time: node.metadata.creation_timestamp.clone(),
                last_transition_time: transition,
            }),
        }
    }
    after
}

/// The node's taints with those that follow from its conditions as they should be.
fn taints(
    node: &Node,
    conditions: &[NodeCondition],
    may_evict: bool,
    now: Timestamp,
) -> Vec<Taint> {
    let is = |kind: &str, wanted: &str| status(conditions, kind) == wanted;
    let unschedulable = node.spec.as_ref().and_then(|spec| spec.unschedulable);
    let not_ready = is("Ready", "False");
    let unreachable = reports(conditions) && is("Ready", "Unknown");
    let rules = [
        (NODE_NOT_READY, NO_SCHEDULE, not_ready),
        (NODE_UNREACHABLE, NO_SCHEDULE, unreachable),
        (
            NODE_MEMORY_PRESSURE,
            NO_SCHEDULE,
            is("MemoryPressure", "True"),
        ),
        (NODE_DISK_PRESSURE, NO_SCHEDULE, is("DiskPressure", "True")),
        (NODE_PID_PRESSURE, NO_SCHEDULE, is("PIDPressure", "True")),
        (
            NODE_NETWORK_UNAVAILABLE,
            NO_SCHEDULE,
            is("NetworkUnavailable", "True"),
        ),
        (
            NODE_UNSCHEDULABLE,
            NO_SCHEDULE,
            unschedulable.unwrap_or(false),
        ),
        (NODE_NOT_READY, NO_EXECUTE, not_ready && may_evict),
        (NODE_UNREACHABLE, NO_EXECUTE, unreachable && may_evict),
    ];
    let mut taints = taint::taints(node).to_vec();
    for (key, effect, is_wanted) in rules {
        let is_this = |taint: &Taint| taint.key == key && taint.effect == effect;
        if !is_wanted {
            taints.retain(|taint| !is_this(taint));
        } else if !taints.iter().any(is_this) {
            taints.push(Taint {
                key: key.into(),
                effect: effect.into(),
                value: None,
                time_added: Some(Time(now)),
            });
        }
    }
    taints
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn node(ready: &str, spec: Value) -> Node {
        serde_json::from_value(json!({
            "metadata": {"name": "n1"}, "spec": spec,
            "status": {"conditions": [
                {"type": "MemoryPressure", "status": "False"}, {"type": "DiskPressure", "status": "False"},
                {"type": "PIDPressure", "status": "False"}, {"type": "Ready", "status": ready},
            ]},
        }))
        .expect("a Node")
    }

    fn at(seconds: u64, node: &Node, may_evict: bool) -> Plan {
        let silence = Duration::from_secs(seconds);
        plan(node, silence, may_evict, Timestamp::UNIX_EPOCH)
    }

    /// Taints as `key:effect`, without the domain.
    #[track_caller]
    fn check(plan: &Plan, expected: &[&str]) {
        let taints = plan.taints.as_ref().expect("taints change");
        let shown: Vec<String> = taints
            .iter()
            .map(|taint| {
                let key = taint.key.trim_start_matches("node.kubernetes.io/");
                format!("{key}:{}", taint.effect)
            })
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_ready_node_is_looked_at_again_when_its_grace_ends() {
        let plan = at(10, &node("True", json!({})), true);
        assert_eq!(plan.again, Some(Duration::from_secs(41)));
        assert_eq!(
            (plan.conditions, plan.taints, plan.is_ready),
            (None, None, true)
        );
    }

    #[test]
    fn a_silent_node_is_unknown_and_unreachable() {
        let plan = at(51, &node("True", json!({})), true);
        check(&plan, &["unreachable:NoSchedule", "unreachable:NoExecute"]);
        let conditions = plan.conditions.unwrap();
        assert!(
            conditions
                .iter()
                .all(|condition| condition.status == "Unknown")
        );
        assert_eq!(conditions[3].reason.as_deref(), Some("NodeStatusUnknown"));
        assert_eq!((plan.is_ready, plan.again), (false, None));
    }

    #[test]
    fn a_node_that_says_it_is_not_ready_is_believed() {
        let plan = at(1, &node("False", json!({})), true);
        check(&plan, &["not-ready:NoSchedule", "not-ready:NoExecute"]);
        assert_eq!(plan.conditions, None);
    }

    #[test]
    fn when_all_nodes_seem_lost_nobody_is_evicted() {
        check(
            &at(51, &node("True", json!({})), false),
            &["unreachable:NoSchedule"],
        );
    }

    #[test]
    fn recovery_and_uncordoning_take_only_their_own_taints_away() {
        let taints = json!({"taints": [
            {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"},
            {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"},
            {"key": "mine", "effect": "NoSchedule"},
        ]});
        check(&at(1, &node("True", taints), true), &["mine:NoSchedule"]);
    }

    #[test]
    fn a_cordoned_node_is_tainted() {
        check(
            &at(1, &node("True", json!({"unschedulable": true})), true),
            &["unschedulable:NoSchedule"],
        );
    }

    #[test]
    fn a_node_has_a_minute_to_report_for_the_first_time() {
        let silent: Node = serde_json::from_value(json!({
            "metadata": {"name": "n1", "creationTimestamp": "2030-01-01T00:00:00Z"},
            "spec": {"taints": [{"key": "mine", "effect": "NoSchedule"}]},
        }))
        .expect("a Node");
        let early = at(60, &silent, true);
        assert_eq!(
            (early.conditions, early.taints, early.is_ready),
            (None, None, true)
        );
        assert_eq!(early.again, Some(Duration::from_secs(1)));

        let late = at(61, &silent, true);
        check(
            &late,
            &[
                "mine:NoSchedule",
                "unreachable:NoSchedule",
                "unreachable:NoExecute",
            ],
        );
        let conditions = late.conditions.unwrap();
        assert_eq!(
            conditions[0].reason.as_deref(),
            Some("NodeStatusNeverUpdated")
        );
        assert_eq!(
            conditions[0].last_heartbeat_time,
            silent.metadata.creation_timestamp
        );
        assert_eq!((late.is_ready, late.again), (false, None));
    }
}
