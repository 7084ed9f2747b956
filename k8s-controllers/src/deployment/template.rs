//! From a Deployment's pod template to the ReplicaSet that stands for it.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, ReplicaSet, ReplicaSetSpec},
        core::v1::PodTemplateSpec,
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta},
};

use super::{
    revision,
    size::{Goal, Size},
};
use crate::{claim, template_hash::hash};

/// The label that tells the pods of one template from those of another.
pub(super) const HASH_LABEL: &str = "pod-template-hash";

/// Whether a ReplicaSet stands for this template: equal but for the hash label.
pub(super) fn is_of(set: &ReplicaSet, template: &PodTemplateSpec) -> bool {
    let Some(theirs) = &set.spec.template else {
        return false;
    };
    if theirs.spec != template.spec {
        return false;
    }
    without_hash(theirs.metadata.as_ref()) == without_hash(template.metadata.as_ref())
}

fn without_hash(meta: Option<&ObjectMeta>) -> ObjectMeta {
    let mut meta = meta.cloned().unwrap_or_default();
    if let Some(labels) = &mut meta.labels {
        labels.remove(HASH_LABEL);
    }
    meta.labels = meta.labels.filter(|labels| !labels.is_empty());
    meta.annotations = meta.annotations.filter(|map| !map.is_empty());
    meta
}

/// The ReplicaSet to create for a Deployment's template, as large as the old sets leave room for.
pub(super) fn new_set(
    deployment: &Deployment,
    goal: &Goal,
    old: &[Size],
    revision: i64,
) -> Option<ReplicaSet> {
    let spec = &deployment.spec;
    let collisions = deployment
        .status
        .as_ref()
        .and_then(|status| status.collision_count);
    let hash = hash(&spec.template, collisions);
    let mut template = spec.template.clone();
    let labels = with_hash(
        template
            .metadata
            .as_ref()
            .and_then(|meta| meta.labels.clone()),
        &hash,
    );
    template
        .metadata
        .get_or_insert_default()
        .labels
        .clone_from(&labels);
    let mut annotations = revision::annotations(deployment, &BTreeMap::new(), revision);
    revision::note_size(&mut annotations, goal);
    let old_total = old.iter().map(|set| set.replicas).sum();
    let name = deployment.metadata.name.as_deref()?;
    Some(ReplicaSet {
        metadata: ObjectMeta {
            name: Some(format!("{name}-{hash}")),
            namespace: deployment.metadata.namespace.clone(),
            labels,
            annotations: Some(annotations),
            owner_references: Some(vec![claim::controller_reference(deployment)]),
            ..ObjectMeta::default()
        },
        spec: ReplicaSetSpec {
            replicas: Some(super::rolling::new_replicas(goal, 0, old_total)),
            min_ready_seconds: spec.min_ready_seconds,
            selector: LabelSelector {
                match_labels: with_hash(spec.selector.match_labels.clone(), &hash),
                ..spec.selector.clone()
            },
            template: Some(template),
        },
        status: None,
    })
}

fn with_hash(
    labels: Option<BTreeMap<String, String>>,
    hash: &str,
) -> Option<BTreeMap<String, String>> {
    let mut labels = labels.unwrap_or_default();
    labels.insert(HASH_LABEL.into(), hash.into());
    Some(labels)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(image: &str) -> Deployment {
        let deployment = json!({
            "metadata": {"name": "web", "namespace": "default", "uid": "u"},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": image}]},
            }},
        });
        serde_json::from_value(deployment).expect("a Deployment")
    }

    fn made(image: &str) -> ReplicaSet {
        let deployment = deployment(image);
        new_set(&deployment, &Goal::of(&deployment), &[], 1).expect("has a spec and a name")
    }

    #[test]
    fn a_set_is_recognised_by_its_template_alone() {
        let template = |image| deployment(image).spec.template;
        assert!(is_of(&made("a"), &template("a")));
        assert!(!is_of(&made("a"), &template("b")));
    }

    #[test]
    fn the_hash_is_stable_and_differs_by_collision() {
        let template = deployment("a").spec.template;
        assert_eq!(hash(&template, None), hash(&template.clone(), None));
        assert_ne!(hash(&template, None), hash(&template, Some(1)));
        assert_eq!(hash(&template, None).len(), 10);
    }

    #[test]
    fn the_hash_is_in_name_labels_selector_and_template() {
        let set = made("a");
        let hash = set.metadata.labels.as_ref().unwrap()[HASH_LABEL].clone();
        let spec = set.spec;
        assert_eq!(set.metadata.name.unwrap(), format!("web-{hash}"));
        assert_eq!(spec.selector.match_labels.unwrap()[HASH_LABEL], hash);
        let labels = spec.template.unwrap().metadata.unwrap().labels.unwrap();
        assert_eq!(labels[HASH_LABEL], hash);
        assert_eq!(labels["app"], "web");
    }
}
