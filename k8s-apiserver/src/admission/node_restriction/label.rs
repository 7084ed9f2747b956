//! Which of its labels a node may choose: none that others rely on to keep workloads away from it.

use std::collections::BTreeSet;

use k8s_apimachinery::Object;

/// What the agent finds out about its machine.
const OF_AGENTS: [&str; 11] = [
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/instance-type",
    "beta.kubernetes.io/os",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "kubernetes.io/arch",
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];
/// Whatever is below these is for agents, too.
const PREFIXES_OF_AGENTS: [&str; 2] = ["kubelet.kubernetes.io", "node.kubernetes.io"];
/// Whatever is below this is for administrators alone.
const RESTRICTED: &str = "node-restriction.kubernetes.io";

/// The labels in which two states of a node differ and that it may not choose, separated by commas; `None` if there are
/// none.
pub(super) fn forbidden(new: &Object, old: Option<&Object>) -> Option<String> {
    let of = |object: Option<&Object>| -> BTreeSet<(String, String)> {
        let labels = object.into_iter().flat_map(Object::labels);
        labels
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    };
    let (new, old) = (of(Some(new)), of(old));
    let differing = new.symmetric_difference(&old).map(|(key, _)| key.as_str());
    let forbidden: BTreeSet<&str> = differing.filter(|key| !is_free(key)).collect();
    let forbidden: Vec<&str> = forbidden.into_iter().collect();
    (!forbidden.is_empty()).then(|| forbidden.join(", "))
}

fn is_free(key: &str) -> bool {
    let (prefix, _) = key.split_once('/').unwrap_or(("", key));
    let is_below = |parent: &str| {
        let rest = prefix.strip_suffix(parent);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    if is_below(RESTRICTED) {
        return false;
    }
    let is_of_kubernetes = is_below("kubernetes.io") || is_below("k8s.io");
    !is_of_kubernetes
        || OF_AGENTS.contains(&key)
        || PREFIXES_OF_AGENTS.iter().any(|parent| is_below(parent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_chooses_what_it_knows_and_what_is_nobodys() {
        for free in [
            "app",
            "example.com/rack",
            "notkubernetes.io/x",
            "kubernetes.io/os",
            "topology.kubernetes.io/zone",
            "kubelet.kubernetes.io/x",
            "a.kubelet.kubernetes.io/x",
            "node.kubernetes.io/x",
        ] {
            assert!(is_free(free), "{free}");
        }
        for taken in [
            "kubernetes.io/x",
            "a.kubernetes.io/x",
            "k8s.io/x",
            "a.k8s.io/x",
            "node-role.kubernetes.io/control-plane",
            "node-restriction.kubernetes.io/x",
            "a.node-restriction.kubernetes.io/x",
        ] {
            assert!(!is_free(taken), "{taken}");
        }
    }

    #[test]
    fn what_stays_as_it_was_is_nobodys_business() {
        let node = |labels: serde_json::Value| {
            Object::from_value(serde_json::json!({"metadata": {"labels": labels}})).unwrap()
        };
        let old = node(serde_json::json!({"k8s.io/a": "1", "k8s.io/b": "1", "app": "1"}));
        let new = node(serde_json::json!({"k8s.io/a": "1", "k8s.io/b": "2", "k8s.io/c": "1"}));
        assert_eq!(forbidden(&old, Some(&old)), None);
        assert_eq!(forbidden(&new, Some(&old)).unwrap(), "k8s.io/b, k8s.io/c");
        assert_eq!(forbidden(&old, None).unwrap(), "k8s.io/a, k8s.io/b");
    }
}
