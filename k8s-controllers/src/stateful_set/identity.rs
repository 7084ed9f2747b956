//! What makes a pod one of a set's: its name with an ordinal, its labels, and its claims.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{
            PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, Pod, PodTemplateSpec, Volume,
        },
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::revision::REVISION_LABEL;
use crate::claim;

const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
const POD_INDEX: &str = "apps.kubernetes.io/pod-index";

/// The name of the pod with this ordinal.
pub(super) fn pod_name(set: &StatefulSet, ordinal: i32) -> String {
    format!("{}-{ordinal}", name(&set.metadata))
}

/// A pod's ordinal, if it has a name of the set's.
pub(super) fn ordinal(set: &StatefulSet, pod: &Pod) -> Option<i32> {
    let rest = name(&pod.metadata).strip_prefix(name(&set.metadata))?;
    let digits = rest.strip_prefix('-')?;
    let ordinal = digits.parse().ok().filter(|ordinal| *ordinal >= 0)?;
    // Not `web-007`, and not `web-+7`.
    (pod_name(set, ordinal) == name(&pod.metadata)).then_some(ordinal)
}

/// The pod with this ordinal, from a revision's template.
pub(super) fn pod(
    set: &StatefulSet,
    template: &PodTemplateSpec,
    revision: &str,
    ordinal: i32,
) -> Pod {
    let meta = template.metadata.clone().unwrap_or_default();
    let mut pod = Pod {
        metadata: ObjectMeta {
            name: Some(pod_name(set, ordinal)),
            generate_name: Some(format!("{}-", name(&set.metadata))),
            namespace: set.metadata.namespace.clone(),
            labels: meta.labels,
            annotations: meta.annotations,
            finalizers: meta.finalizers,
            owner_references: Some(vec![claim::controller_reference(set)]),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: None,
    };
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(REVISION_LABEL.to_owned(), revision.to_owned());
    let spec = pod.spec.get_or_insert_default();
    spec.hostname = Some(pod_name(set, ordinal));
    spec.subdomain.clone_from(&set.spec.service_name);
    with_identity(set, &pod, ordinal)
}

/// The pod with the labels and volumes that its name asks for.
pub(super) fn with_identity(set: &StatefulSet, pod: &Pod, ordinal: i32) -> Pod {
    let mut pod = pod.clone();
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(POD_NAME.to_owned(), pod_name(set, ordinal));
    labels.insert(POD_INDEX.to_owned(), ordinal.to_string());
    let templates = set.spec.volume_claim_templates.iter().flatten();
    let claimed = templates.map(|template| Volume {
        name: name(&template.metadata).to_owned(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: claim_name(set, template, ordinal),
            read_only: Some(false),
        }),
        ..Volume::default()
    });
    let mut volumes: Vec<_> = claimed.collect();
    let spec = pod.spec.get_or_insert_default();
    let others = spec.volumes.take().unwrap_or_default().into_iter();
    let others: Vec<_> = others
        .filter(|other| volumes.iter().all(|volume| volume.name != other.name))
        .collect();
    volumes.extend(others);
    spec.volumes = Some(volumes).filter(|volumes| !volumes.is_empty());
    pod
}

/// Whether a pod has the labels and volumes that its name asks for.
pub(super) fn has_identity(set: &StatefulSet, pod: &Pod, ordinal: i32) -> bool {
    let label = |key: &str| pod.metadata.labels.as_ref()?.get(key);
    let templates = set.spec.volume_claim_templates.iter().flatten();
    let volumes = || pod.spec.iter().flat_map(|spec| &spec.volumes).flatten();
    let has_claim = |template: &PersistentVolumeClaim| {
        let wanted = claim_name(set, template, ordinal);
        volumes().any(|volume| {
            let source = volume.persistent_volume_claim.as_ref();
            volume.name == name(&template.metadata)
                && source.is_some_and(|source| source.claim_name == wanted)
        })
    };
    label(POD_NAME).is_some_and(|name| *name == pod_name(set, ordinal))
        && label(POD_INDEX).is_some_and(|index| *index == ordinal.to_string())
        && templates.into_iter().all(has_claim)
}

fn claim_name(set: &StatefulSet, template: &PersistentVolumeClaim, ordinal: i32) -> String {
    format!("{}-{}", name(&template.metadata), pod_name(set, ordinal))
}

/// The claims of the pod with this ordinal.
pub(super) fn claims(set: &StatefulSet, ordinal: i32) -> Vec<PersistentVolumeClaim> {
    let templates = set.spec.volume_claim_templates.iter().flatten();
    let claims = templates.map(|template| {
        let mut claim = template.clone();
        claim.metadata.name = Some(claim_name(set, template, ordinal));
        claim.metadata.namespace.clone_from(&set.metadata.namespace);
        let selected: BTreeMap<_, _> = set.spec.selector.match_labels.clone().unwrap_or_default();
        let labels = claim.metadata.labels.get_or_insert_default();
        labels.extend(selected);
        claim.status = None;
        claim
    });
    claims.collect()
}

fn name(meta: &ObjectMeta) -> &str {
    meta.name.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set() -> StatefulSet {
        serde_json::from_value(json!({
            "metadata": {"name": "web", "namespace": "ns", "uid": "1"},
            "spec": {
                "serviceName": "www",
                "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [],
                    "volumes": [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]}},
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}],
            },
        }))
        .expect("a StatefulSet")
    }

    #[test]
    fn a_pod_is_known_by_its_name() {
        let pod = |name: &str| -> Pod {
            serde_json::from_value(json!({"metadata": {"name": name}})).expect("a pod")
        };
        assert_eq!(ordinal(&set(), &pod("web-0")), Some(0));
        assert_eq!(ordinal(&set(), &pod("web-12")), Some(12));
        for other in [
            "web", "web-", "web-x", "web-01", "web-+1", "web--1", "webs-1",
        ] {
            assert_eq!(ordinal(&set(), &pod(other)), None, "{other}");
        }
    }

    #[test]
    fn a_pod_has_its_name_its_labels_and_its_claims() {
        let set = set();
        let pod = pod(&set, &set.spec.template, "web-abc", 3);
        assert!(has_identity(&set, &pod, 3));
        assert!(!has_identity(&set, &pod, 4));
        let spec = pod.spec.clone().expect("a spec");
        assert_eq!(spec.hostname.as_deref(), Some("web-3"));
        assert_eq!(spec.subdomain.as_deref(), Some("www"));
        let volumes: Vec<_> = spec.volumes.into_iter().flatten().collect();
        let claimed = volumes[0]
            .persistent_volume_claim
            .as_ref()
            .expect("a claim");
        assert_eq!(claimed.claim_name, "data-web-3");
        assert_eq!(volumes.len(), 2);
        let claims = claims(&set, 3);
        assert_eq!(claims[0].metadata.name.as_deref(), Some("data-web-3"));
        assert_eq!(
            claims[0].metadata.labels.as_ref().expect("labels")["app"],
            "web"
        );
    }
}
