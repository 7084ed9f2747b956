//! Revisions: past and present templates of a set, kept as ControllerRevisions.

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::{
    api::{
        apps::v1::{ControllerRevision, StatefulSet},
        core::v1::{Pod, PodTemplateSpec},
    },
    apimachinery::pkg::{apis::meta::v1::ObjectMeta, runtime::RawExtension},
};
use serde_json::json;

use crate::{claim, template_hash::hash};

/// On pods: the revision that they are made from.
pub(super) const REVISION_LABEL: &str = "controller-revision-hash";
/// On revisions: the hash in their name.
const HASH_LABEL: &str = "controller.kubernetes.io/hash";

/// The revision of a set's template now, numbered after all known ones.
pub(super) fn of_template(
    set: &StatefulSet,
    known: &[Arc<ControllerRevision>],
    collisions: i32,
) -> ControllerRevision {
    let template = &set.spec.template;
    // What `kubectl rollout undo` patches the set with.
    let mut patch = json!(template);
    patch["$patch"] = json!("replace");
    let hash = hash(template, (collisions > 0).then_some(collisions));
    let meta = template.metadata.as_ref();
    let mut labels = meta
        .and_then(|meta| meta.labels.clone())
        .unwrap_or_default();
    labels.insert(HASH_LABEL.to_owned(), hash.clone());
    let name = set.metadata.name.as_deref().unwrap_or_default();
    ControllerRevision {
        metadata: ObjectMeta {
            name: Some(format!("{name}-{hash}")),
            namespace: set.metadata.namespace.clone(),
            labels: Some(labels),
            annotations: set.metadata.annotations.clone(),
            owner_references: Some(vec![claim::controller_reference(set)]),
            ..ObjectMeta::default()
        },
        data: RawExtension(json!({"spec": {"template": patch}})),
        revision: Some(number(known.last()) + 1),
    }
}

fn number(revision: Option<&Arc<ControllerRevision>>) -> i64 {
    revision.and_then(|revision| revision.revision).unwrap_or(0)
}

/// Whether two revisions are of the same template.
pub(super) fn is_same(a: &ControllerRevision, b: &ControllerRevision) -> bool {
    a.data == b.data
}

/// The template that a revision stands for.
pub(super) fn template(revision: &ControllerRevision) -> Option<PodTemplateSpec> {
    let mut template = revision.data.0.pointer("/spec/template")?.clone();
    template.as_object_mut()?.remove("$patch");
    serde_json::from_value(template).ok()
}

/// A revision's name.
pub(super) fn name(revision: &ControllerRevision) -> &str {
    revision.metadata.name.as_deref().unwrap_or_default()
}

/// The name of the revision that a pod was made from.
pub(super) fn of_pod(pod: &Pod) -> &str {
    let labels = pod.metadata.labels.as_ref();
    let label = labels.and_then(|labels| labels.get(REVISION_LABEL));
    label.map_or("", String::as_str)
}

/// The oldest revisions that nobody uses, as far as there are more than the limit.
pub(super) fn expired(
    known: &[Arc<ControllerRevision>],
    used: &BTreeSet<&str>,
    limit: usize,
) -> Vec<Arc<ControllerRevision>> {
    let unused = known
        .iter()
        .filter(|revision| !used.contains(name(revision)));
    let unused: Vec<_> = unused.cloned().collect();
    let surplus = unused.len().saturating_sub(limit);
    unused.into_iter().take(surplus).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(image: &str) -> StatefulSet {
        serde_json::from_value(json!({
            "metadata": {"name": "web", "namespace": "ns", "uid": "1"},
            "spec": {"selector": {}, "template": {"metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": image}]}}},
        }))
        .expect("a StatefulSet")
    }

    #[test]
    fn a_revision_holds_the_template() {
        let first = of_template(&set("a"), &[], 0);
        assert_eq!(
            (first.revision, template(&first)),
            (Some(1), Some(set("a").spec.template))
        );
        let second = of_template(&set("b"), &[Arc::new(first.clone())], 0);
        assert_eq!(second.revision, Some(2));
        assert!(!is_same(&first, &second));
        assert!(is_same(
            &first,
            &of_template(&set("a"), &[Arc::new(second)], 0)
        ));
        assert_ne!(name(&first), name(&of_template(&set("a"), &[], 1)));
    }

    #[test]
    fn history_loses_its_oldest_unused_revisions() {
        let revision = |name: &str| {
            let mut revision = of_template(&set(name), &[], 0);
            revision.metadata.name = Some(name.to_owned());
            Arc::new(revision)
        };
        let known = ["a", "b", "c", "d"].map(revision);
        let names = |limit| {
            let expired = expired(&known, &BTreeSet::from(["b"]), limit);
            expired
                .iter()
                .map(|it| name(it).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(1), ["a", "c"]);
        assert_eq!(names(3), [""; 0]);
    }
}
