//! Revisions: numbers on ReplicaSets that order a Deployment's history.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::{
    api::apps::v1::{Deployment, ReplicaSet},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::size::Goal;

/// The revision, on ReplicaSets and (of the newest) on the Deployment.
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
/// Revisions that a ReplicaSet has had before, when a rollback made it the newest again.
pub(super) const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// The Deployment's replicas when the set was last sized: how a scaling is told from a rollout.
pub(super) const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
/// The same with surge.
pub(super) const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";

/// Annotations of the Deployment that its ReplicaSets don't take over.
const NOT_COPIED: [&str; 5] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
];

/// An annotation that holds a number.
pub(super) fn number<T: std::str::FromStr>(meta: &ObjectMeta, annotation: &str) -> Option<T> {
    meta.annotations.as_ref()?.get(annotation)?.parse().ok()
}

/// The revision that the newest set shall have: one more than any old one.
pub(super) fn next<'a>(old: impl IntoIterator<Item = &'a Arc<ReplicaSet>>) -> i64 {
    let revisions = old.into_iter().map(|set| of(set));
    revisions.max().unwrap_or(0) + 1
}

/// The revision of a set; 0 when it has none.
pub(super) fn of(set: &ReplicaSet) -> i64 {
    number(&set.metadata, REVISION).unwrap_or(0)
}

/// What the newest set's annotations shall be: the Deployment's, and a revision of at least
/// `revision`. A revision that it had before goes into its history.
pub(super) fn annotations(
    deployment: &Deployment,
    current: &BTreeMap<String, String>,
    revision: i64,
) -> BTreeMap<String, String> {
    let mut wanted = current.clone();
    for (name, value) in deployment.metadata.annotations.iter().flatten() {
        if !NOT_COPIED.contains(&name.as_str()) {
            wanted.insert(name.clone(), value.clone());
        }
    }
    let former = current.get(REVISION);
    let former_number: i64 = former.and_then(|text| text.parse().ok()).unwrap_or(0);
    if former_number < revision {
        wanted.insert(REVISION.into(), revision.to_string());
        if let Some(former) = former {
            let history = match current.get(REVISION_HISTORY) {
                Some(history) if !history.is_empty() => format!("{history},{former}"),
                _ => former.clone(),
            };
            wanted.insert(REVISION_HISTORY.into(), history);
        }
    }
    wanted
}

/// Notes in a set's annotations what it was sized for.
pub(super) fn note_size(annotations: &mut BTreeMap<String, String>, goal: &Goal) {
    annotations.insert(DESIRED_REPLICAS.into(), goal.replicas.to_string());
    annotations.insert(MAX_REPLICAS.into(), goal.max().to_string());
}

/// The old sets that the history limit no longer covers, oldest revision first. A set that still
/// has pods, or whose last change its controller hasn't seen, stays.
pub(super) fn expired(old: &[Arc<ReplicaSet>], limit: i32) -> Vec<Arc<ReplicaSet>> {
    let alive = old
        .iter()
        .filter(|set| set.metadata.deletion_timestamp.is_none());
    let mut alive: Vec<_> = alive.cloned().collect();
    alive.sort_by_key(|set| (of(set), set.metadata.creation_timestamp.clone()));
    let limit = usize::try_from(limit).unwrap_or(0);
    let surplus = alive.len().saturating_sub(limit);
    alive.truncate(surplus);
    alive.retain(|set| is_empty_and_settled(set));
    alive
}

fn is_empty_and_settled(set: &ReplicaSet) -> bool {
    let Some(status) = &set.status else {
        return false;
    };
    let is_seen = status.observed_generation >= set.metadata.generation;
    set.spec.replicas.unwrap_or(0) == 0 && status.replicas == 0 && is_seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(name: &str, revision: i64, replicas: i32) -> Arc<ReplicaSet> {
        let set = json!({
            "metadata": {"name": name, "generation": 1, "annotations": {REVISION: revision.to_string()}},
            "spec": {"replicas": replicas, "selector": {}},
            "status": {"replicas": replicas, "observedGeneration": 1},
        });
        Arc::new(serde_json::from_value(set).expect("a ReplicaSet"))
    }

    fn names(sets: &[Arc<ReplicaSet>]) -> Vec<&str> {
        sets.iter()
            .filter_map(|set| set.metadata.name.as_deref())
            .collect()
    }

    #[test]
    fn a_rollback_gets_a_new_number_and_remembers_the_old_one() {
        let current = BTreeMap::from([(REVISION.to_owned(), "1".to_owned())]);
        let wanted = annotations(&Deployment::default(), &current, 3);
        assert_eq!(wanted[REVISION], "3");
        assert_eq!(wanted[REVISION_HISTORY], "1");
        let again = annotations(&Deployment::default(), &wanted, 5);
        assert_eq!(again[REVISION_HISTORY], "1,3");
        assert_eq!(annotations(&Deployment::default(), &again, 5), again);
    }

    #[test]
    fn history_loses_its_oldest_empty_sets() {
        let old = [
            set("c", 10, 0),
            set("a", 2, 0),
            set("busy", 1, 2),
            set("b", 9, 0),
        ];
        assert_eq!(names(&expired(&old, 1)), ["a", "b"]);
        assert_eq!(names(&expired(&old, 0)), ["a", "b", "c"]);
        assert_eq!(names(&expired(&old, 10)), [""; 0]);
    }

    #[test]
    fn revisions_are_numbers_not_texts() {
        assert_eq!(next(&[set("a", 9, 0), set("b", 10, 0)]), 11);
    }
}
