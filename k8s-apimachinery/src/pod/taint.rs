//! Taints and tolerations: which pods a node keeps away, and for how long it bears them.

use k8s_openapi::api::core::v1::{Node, Pod, Taint, Toleration};

/// Keeps new pods away.
pub const NO_SCHEDULE: &str = "NoSchedule";
/// Keeps new pods away if another node will do.
pub const PREFER_NO_SCHEDULE: &str = "PreferNoSchedule";
/// Keeps new pods away and evicts those that run.
pub const NO_EXECUTE: &str = "NoExecute";

/// The node agent stopped reporting, or says it isn't ready.
pub const NODE_NOT_READY: &str = "node.kubernetes.io/not-ready";
/// The node's agent can't be reached.
pub const NODE_UNREACHABLE: &str = "node.kubernetes.io/unreachable";
/// The node is cordoned.
pub const NODE_UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
/// The node runs short of memory.
pub const NODE_MEMORY_PRESSURE: &str = "node.kubernetes.io/memory-pressure";
/// The node runs short of disk.
pub const NODE_DISK_PRESSURE: &str = "node.kubernetes.io/disk-pressure";
/// The node runs short of process ids.
pub const NODE_PID_PRESSURE: &str = "node.kubernetes.io/pid-pressure";
/// The node's network isn't configured yet.
pub const NODE_NETWORK_UNAVAILABLE: &str = "node.kubernetes.io/network-unavailable";

/// Whether the toleration bears the taint.
///
/// An empty effect matches all effects; an empty key with `Exists` matches all keys.
pub fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let given = |field: &Option<String>| field.clone().filter(|s| !s.is_empty());
    if given(&toleration.effect).is_some_and(|effect| effect != taint.effect) {
        return false;
    }
    if given(&toleration.key).is_some_and(|key| key != taint.key) {
        return false;
    }
    match toleration.operator.as_deref() {
        None | Some("" | "Equal") => {
            toleration.value.as_deref().unwrap_or_default()
                == taint.value.as_deref().unwrap_or_default()
        }
        Some("Exists") => true,
        Some(_) => false,
    }
}

/// The first taint with one of the given effects that no toleration bears.
pub fn find_untolerated<'a>(
    taints: impl IntoIterator<Item = &'a Taint>,
    tolerations: &[Toleration],
    effects: &[&str],
) -> Option<&'a Taint> {
    taints
        .into_iter()
        .filter(|taint| effects.contains(&taint.effect.as_str()))
        .find(|taint| !tolerations.iter().any(|t| tolerates(t, taint)))
}

/// The node's taints.
pub fn taints(node: &Node) -> &[Taint] {
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_deref());
    taints.unwrap_or_default()
}

/// The pod's tolerations.
pub fn tolerations(pod: &Pod) -> &[Toleration] {
    let tolerations = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.tolerations.as_deref());
    tolerations.unwrap_or_default()
}

/// How the pod bears the node's `NoExecute` taints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearing {
    /// For ever: there are none, or each is tolerated without an end.
    Forever,
    /// For so many seconds after the taints came: the shortest of the tolerations used.
    Seconds(u64),
    /// Not at all: one is not tolerated.
    Never,
}

/// How long a pod with these tolerations stays on a node with these taints.
pub fn bearing(taints: &[Taint], tolerations: &[Toleration]) -> Bearing {
    if find_untolerated(taints, tolerations, &[NO_EXECUTE]).is_some() {
        return Bearing::Never;
    }
    let evicting = || taints.iter().filter(|taint| taint.effect == NO_EXECUTE);
    let used = tolerations
        .iter()
        .filter(|t| evicting().any(|taint| tolerates(t, taint)));
    let shortest = used.filter_map(|t| t.toleration_seconds).min();
    shortest.map_or(Bearing::Forever, |s| {
        Bearing::Seconds(s.max(0).unsigned_abs())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn taint(key: &str, value: &str, effect: &str) -> Taint {
        serde_json::from_value(json!({"key": key, "value": value, "effect": effect}))
            .expect("a taint")
    }

    fn toleration(value: Value) -> Toleration {
        serde_json::from_value(value).expect("a toleration")
    }

    #[track_caller]
    fn check(value: Value, want: bool) {
        let taint = taint("k", "v", NO_SCHEDULE);
        assert_eq!(tolerates(&toleration(value), &taint), want);
    }

    #[test]
    fn equal_compares_key_value_and_effect() {
        check(
            json!({"key": "k", "value": "v", "effect": "NoSchedule"}),
            true,
        );
        check(json!({"key": "k", "operator": "Equal", "value": "v"}), true);
        check(json!({"key": "k", "value": "other"}), false);
        check(json!({"key": "other", "value": "v"}), false);
        check(
            json!({"key": "k", "value": "v", "effect": "NoExecute"}),
            false,
        );
    }

    #[test]
    fn exists_ignores_the_value() {
        check(json!({"key": "k", "operator": "Exists"}), true);
        check(json!({"operator": "Exists"}), true);
        check(json!({"operator": "Exists", "effect": "NoExecute"}), false);
    }

    #[test]
    fn only_the_given_effects_are_looked_for() {
        let taints = [
            taint("a", "", PREFER_NO_SCHEDULE),
            taint("b", "", NO_EXECUTE),
        ];
        let found = find_untolerated(&taints, &[], &[NO_SCHEDULE, NO_EXECUTE]);
        assert_eq!(found.map(|t| t.key.as_str()), Some("b"));
    }

    #[test]
    fn the_shortest_toleration_decides_how_long_a_pod_stays() {
        let taints = [taint(NODE_NOT_READY, "", NO_EXECUTE)];
        let for_seconds = |s: i64| {
            toleration(json!({"key": NODE_NOT_READY, "operator": "Exists", "tolerationSeconds": s}))
        };
        assert_eq!(bearing(&taints, &[]), Bearing::Never);
        assert_eq!(bearing(&[], &[]), Bearing::Forever);
        assert_eq!(
            bearing(&taints, &[for_seconds(300), for_seconds(30)]),
            Bearing::Seconds(30)
        );
        let forever = toleration(json!({"operator": "Exists"}));
        assert_eq!(bearing(&taints, &[forever]), Bearing::Forever);
    }
}
