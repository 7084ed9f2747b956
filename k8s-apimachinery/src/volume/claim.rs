//! The claims that a pod's volumes stand for.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Volume};

/// A claim that a pod's volume stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimOf<'a> {
    /// The volume in the pod's spec.
    pub volume: &'a Volume,
    /// The claim's name, in the pod's namespace.
    pub name: String,
    /// Whether the claim is made for this pod, and goes with it.
    pub is_ephemeral: bool,
}

/// The claims of a pod, in the order of its volumes, whether or not they exist.
pub fn claims_of(pod: &Pod) -> impl Iterator<Item = ClaimOf<'_>> {
    let volumes = pod.spec.iter().flat_map(|spec| &spec.volumes).flatten();
    volumes.filter_map(|volume| {
        let is_ephemeral = volume.ephemeral.is_some();
        let name = name_of(pod, volume)?;
        Some(ClaimOf {
            volume,
            name,
            is_ephemeral,
        })
    })
}

/// The name of the claim that a volume stands for; none for a volume of another kind.
pub fn name_of(pod: &Pod, volume: &Volume) -> Option<String> {
    if let Some(source) = &volume.persistent_volume_claim {
        return Some(source.claim_name.clone());
    }
    volume.ephemeral.as_ref()?;
    let pod = pod.metadata.name.as_deref().unwrap_or_default();
    Some(format!("{pod}-{}", volume.name))
}

/// Whether a claim was made for this pod: it is the pod's in name and in deed, so that a claim of somebody else which
/// happens to have the name isn't taken for it. Else in Kubernetes' words why not.
pub fn check_made_for(pod: &Pod, claim: &PersistentVolumeClaim) -> Result<(), String> {
    let owners = claim.metadata.owner_references.iter().flatten();
    let mut controllers = owners.filter(|owner| owner.controller == Some(true));
    if controllers.any(|owner| Some(&owner.uid) == pod.metadata.uid.as_ref()) {
        return Ok(());
    }
    let name = |namespace: &Option<String>, name: &Option<String>| {
        let namespace = namespace.as_deref().unwrap_or_default();
        format!("{namespace}/{}", name.as_deref().unwrap_or_default())
    };
    let claim = name(&claim.metadata.namespace, &claim.metadata.name);
    let pod = name(&pod.metadata.namespace, &pod.metadata.name);
    Err(format!(
        "PVC {claim} was not created for pod {pod} (pod is not owner)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn volumes_name_their_claims_or_have_them_made() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "ns", "uid": "1"},
            "spec": {"containers": [], "volumes": [
                {"name": "a", "persistentVolumeClaim": {"claimName": "data"}},
                {"name": "b", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
                {"name": "c", "emptyDir": {}},
            ]},
        }))
        .expect("a pod");
        let names: Vec<_> = claims_of(&pod)
            .map(|it| (it.name, it.is_ephemeral))
            .collect();
        assert_eq!(names, [("data".into(), false), ("p-b".into(), true)]);
    }

    #[test]
    fn a_claim_of_the_right_name_may_still_be_somebody_elses() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "ns", "uid": "1"}, "spec": {"containers": []},
        }))
        .expect("a pod");
        let claim = |uid: &str| -> PersistentVolumeClaim {
            let owner = json!({"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": uid, "controller": true});
            let meta = json!({"name": "p-b", "namespace": "ns", "ownerReferences": [owner]});
            serde_json::from_value(json!({"metadata": meta})).expect("a claim")
        };
        assert_eq!(check_made_for(&pod, &claim("1")), Ok(()));
        assert_eq!(
            check_made_for(&pod, &claim("2")).unwrap_err(),
            "PVC ns/p-b was not created for pod ns/p (pod is not owner)"
        );
    }
}
