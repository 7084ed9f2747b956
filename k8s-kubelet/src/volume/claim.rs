//! From a claim that a pod names to the volume that it is bound to.
//!
//! Objects are read as the node, one by one: a node may follow neither claims nor volumes. What isn't
//! bound yet is the pod's turn to ask for again. The messages are Kubernetes'.

use k8s_apimachinery::pod::affinity;
use k8s_openapi::api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Pod, Volume};
use kube::{Api, Client};

use super::spec::{Persistent, Spec, Use};

/// The volume as the pod means it. Says why it can't be had.
pub(super) async fn resolve(
    client: &Client,
    pod: &Pod,
    volume: &Volume,
    used: Use,
) -> Result<Spec, String> {
    let Some((name, read_only)) = named(pod, volume) else {
        return Ok(Spec::inline(volume));
    };
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let persistent = fetch(client, pod, volume, &name)
        .await
        .map_err(|why| format!("error processing PVC {namespace}/{name}: {why}"))?;
    let spec = Spec {
        volume: volume.clone(),
        persistent: Some(Persistent {
            read_only,
            ..persistent
        }),
    };
    check_mode(&spec, used)?;
    Ok(spec)
}

/// The claim that a volume names, and whether the pod wants it read-only.
pub(super) fn named(pod: &Pod, volume: &Volume) -> Option<(String, bool)> {
    if let Some(source) = &volume.persistent_volume_claim {
        return Some((source.claim_name.clone(), source.read_only == Some(true)));
    }
    volume.ephemeral.as_ref()?;
    let pod = pod.metadata.name.as_deref().unwrap_or_default();
    Some((format!("{pod}-{}", volume.name), false))
}

async fn fetch(
    client: &Client,
    pod: &Pod,
    volume: &Volume,
    name: &str,
) -> Result<Persistent, String> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
    let claim = claims
        .get(name)
        .await
        .map_err(|error| format!("failed to fetch PVC from API server: {}", words(&error)))?;
    if volume.ephemeral.is_some() {
        check_owner(&claim, pod)?;
    }
    let name = bound(&claim)?;
    let volumes: Api<PersistentVolume> = Api::all(client.clone());
    let volume = volumes.get(name).await.map_err(|error| {
        format!(
            "failed to fetch PV {name} from API server: {}",
            words(&error)
        )
    })?;
    check_bound(&volume, &claim)?;
    Ok(Persistent {
        volume,
        claim,
        read_only: false,
    })
}

/// A claim made for a pod is that pod's alone.
fn check_owner(claim: &PersistentVolumeClaim, pod: &Pod) -> Result<(), String> {
    let mut owners = claim.metadata.owner_references.iter().flatten();
    let is_owned = owners.any(|owner| {
        owner.controller == Some(true) && Some(&owner.uid) == pod.metadata.uid.as_ref()
    });
    if is_owned {
        return Ok(());
    }
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let namespace = text(&pod.metadata.namespace);
    Err(format!(
        "PVC {namespace}/{} was not created for pod {namespace}/{} (pod is not owner)",
        text(&claim.metadata.name),
        text(&pod.metadata.name)
    ))
}

/// The volume that a claim is bound to.
fn bound(claim: &PersistentVolumeClaim) -> Result<&str, String> {
    if claim.metadata.deletion_timestamp.is_some() {
        return Err("PVC is being deleted".into());
    }
    let phase = claim
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    if phase != Some("Bound") {
        return Err("PVC is not bound".into());
    }
    let name = claim
        .spec
        .as_ref()
        .and_then(|spec| spec.volume_name.as_deref());
    name.filter(|name| !name.is_empty())
        .ok_or_else(|| "PVC has empty pvc.Spec.VolumeName".into())
}

/// Both ends have to say so.
fn check_bound(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> Result<(), String> {
    let name = volume.metadata.name.as_deref().unwrap_or_default();
    let reference = volume
        .spec
        .as_ref()
        .and_then(|spec| spec.claim_ref.as_ref());
    let Some(reference) = reference else {
        return Err(format!(
            "found PV object {name} but it has a nil pv.Spec.ClaimRef indicating it is not yet bound to the claim"
        ));
    };
    let text = |uid: &Option<String>| uid.clone().unwrap_or_default();
    let (there, here) = (text(&reference.uid), text(&claim.metadata.uid));
    if there != here {
        return Err(format!(
            "found PV object {name} but its pv.Spec.ClaimRef.UID {there} does not point to claim.UID {here}"
        ));
    }
    Ok(())
}

/// A device can't be mounted as a directory, nor the other way round.
fn check_mode(spec: &Spec, used: Use) -> Result<(), String> {
    let name = &spec.volume.name;
    match spec.is_block() {
        true if used.is_mounted => Err(format!(
            "volume {name} has volumeMode Block, but is specified in volumeMounts"
        )),
        false if used.is_device => Err(format!(
            "volume {name} has volumeMode Filesystem, but is specified in volumeDevices"
        )),
        _ => Ok(()),
    }
}

/// Whether the volume can be reached from a node with these labels.
pub(super) fn is_reachable(volume: &PersistentVolume, node: &Node) -> bool {
    let affinity = volume
        .spec
        .as_ref()
        .and_then(|spec| spec.node_affinity.as_ref());
    let required = affinity.and_then(|affinity| affinity.required.as_ref());
    required.is_none_or(|selector| affinity::selector_matches(selector, node))
}

/// What the API said, in its words.
pub(super) fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn claim(pointer: &str, value: Value) -> PersistentVolumeClaim {
        let mut claim = json!({
            "metadata": {"name": "c", "uid": "u1", "deletionTimestamp": null},
            "spec": {"volumeName": "pv"},
            "status": {"phase": "Bound"},
        });
        *claim.pointer_mut(pointer).unwrap() = value;
        serde_json::from_value(claim).unwrap()
    }

    #[test]
    fn a_claim_is_followed_only_when_it_is_bound_and_stays() {
        let says = |pointer, value| bound(&claim(pointer, value)).map(str::to_owned);
        assert_eq!(says("/metadata/name", json!("c")).unwrap(), "pv");
        for (pointer, value, why) in [
            ("/status/phase", json!("Pending"), "PVC is not bound"),
            (
                "/spec/volumeName",
                json!(null),
                "PVC has empty pvc.Spec.VolumeName",
            ),
            (
                "/metadata/deletionTimestamp",
                json!("2030-01-01T00:00:00Z"),
                "PVC is being deleted",
            ),
        ] {
            assert_eq!(says(pointer, value).unwrap_err(), why);
        }
    }

    #[test]
    fn the_volume_must_point_back_at_this_very_claim() {
        let says = |spec: Value| {
            let volume = json!({"metadata": {"name": "pv"}, "spec": spec});
            check_bound(
                &serde_json::from_value(volume).unwrap(),
                &claim("/metadata/name", json!("c")),
            )
        };
        assert_eq!(says(json!({"claimRef": {"uid": "u1"}})), Ok(()));
        let nil = says(json!({})).unwrap_err();
        assert!(nil.contains("nil pv.Spec.ClaimRef"), "{nil}");
        let other = says(json!({"claimRef": {"uid": "u0"}})).unwrap_err();
        assert!(other.ends_with("ClaimRef.UID u0 does not point to claim.UID u1"));
    }

    #[test]
    fn a_volume_of_another_node_is_not_reachable() {
        let volume: PersistentVolume = serde_json::from_value(json!({
            "metadata": {"name": "pv"},
            "spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": "In", "values": ["n1"]}
            ]}]}}},
        }))
        .unwrap();
        let node = |name: &str| -> Node {
            let labels = json!({"kubernetes.io/hostname": name});
            serde_json::from_value(json!({"metadata": {"labels": labels}})).unwrap()
        };
        assert!(is_reachable(&volume, &node("n1")));
        assert!(!is_reachable(&volume, &node("n2")));
    }
}
