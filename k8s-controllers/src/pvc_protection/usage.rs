//! Which claims a pod uses, and whether one is used.

use k8s_apimachinery::{
    pod::readiness,
    volume::claim::{self, ClaimOf, check_made_for},
};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_runtime::Key;

/// The claims that the volumes of a pod name, or are made as, whether or not it runs.
pub(super) fn claims_of(pod: &Pod) -> Vec<Key> {
    let namespace = pod.metadata.namespace.clone().unwrap_or_default();
    let claims = claim::claims_of(pod);
    claims.map(|it| Key::new(&namespace, it.name)).collect()
}

/// Whether a pod uses a claim of its namespace. Only pods that have a node do: their nodes start none that
/// refer to a claim which is being deleted.
pub(super) fn uses(pod: &Pod, claim: &PersistentVolumeClaim) -> bool {
    let name = claim.metadata.name.as_deref();
    let is_it = |wanted: ClaimOf<'_>| {
        let is_own = || !is_shut_down(pod) && check_made_for(pod, claim).is_ok();
        Some(wanted.name.as_str()) == name && (!wanted.is_ephemeral || is_own())
    };
    readiness::node_name(pod).is_some() && claim::claims_of(pod).any(is_it)
}

/// Whether a pod's event can have freed a claim: those that run keep what they have.
pub(super) fn may_free(pod: &Pod) -> bool {
    readiness::is_terminal(pod) || readiness::node_name(pod).is_none() || is_shut_down(pod)
}

/// Whether the node is done with the pod, or the pod was deleted by force. Such a pod may wait for the claim
/// that was made for it to go, so the claim can't wait for the pod.
fn is_shut_down(pod: &Pod) -> bool {
    let meta = &pod.metadata;
    meta.deletion_timestamp.is_some() && meta.deletion_grace_period_seconds == Some(0)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(metadata: Value, node: &str) -> Pod {
        let mut pod = json!({
            "metadata": {"name": "p", "namespace": "default", "uid": "1"},
            "spec": {"nodeName": node, "containers": [], "volumes": [
                {"name": "a", "persistentVolumeClaim": {"claimName": "data"}},
                {"name": "b", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
                {"name": "c", "emptyDir": {}},
            ]},
        });
        for (field, value) in metadata.as_object().expect("metadata") {
            pod["metadata"][field] = value.clone();
        }
        serde_json::from_value(pod).expect("a pod")
    }

    fn claim(name: &str, owner: Option<&str>) -> PersistentVolumeClaim {
        let owners = owner.map(|uid| {
            json!([{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": uid, "controller": true}])
        });
        let claim = json!({"metadata": {"name": name, "ownerReferences": owners}});
        serde_json::from_value(claim).expect("a claim")
    }

    #[test]
    fn a_pod_with_a_node_uses_what_it_names_and_what_is_made_for_it() {
        let running = pod(json!({}), "n");
        let waiting = pod(json!({}), "");
        let ended = json!({
            "deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 0,
        });
        let ended = pod(ended, "n");
        for (pod, claim, want) in [
            (&running, claim("data", None), true),
            (&running, claim("other", None), false),
            (&running, claim("p-b", Some("1")), true),
            (&running, claim("p-b", Some("2")), false),
            (&running, claim("p-b", None), false),
            (&waiting, claim("data", None), false),
            (&ended, claim("data", None), true),
            (&ended, claim("p-b", Some("1")), false),
        ] {
            assert_eq!(uses(pod, &claim), want, "{pod:?} {claim:?}");
        }
        let key = |name: &str| Key::new("default", name);
        assert_eq!(claims_of(&running), [key("data"), key("p-b")]);
        assert_eq!(
            [&running, &waiting, &ended].map(may_free),
            [false, true, true]
        );
    }
}
