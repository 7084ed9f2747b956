//! Storage classes: which one a claim or a volume is of, and what a class says about binding.

use std::cmp::Reverse;

use k8s_openapi::api::{
    core::v1::{Node, PersistentVolume, PersistentVolumeClaim, TopologySelectorTerm},
    storage::v1::StorageClass,
};

/// How claims and volumes of old name their class.
const CLASS_OF_OLD: &str = "volume.beta.kubernetes.io/storage-class";
/// The annotations that make a class the default one; the second is its name of old.
const DEFAULT: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];

/// The provisioner of classes whose volumes are made by hand.
pub const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// The class that a claim asks for; empty when it wants none, or says nothing.
pub fn of_claim(claim: &PersistentVolumeClaim) -> &str {
    let annotations = claim.metadata.annotations.as_ref();
    let of_old = annotations.and_then(|all| all.get(CLASS_OF_OLD));
    let named = || claim.spec.as_ref()?.storage_class_name.as_ref();
    of_old.or_else(named).map_or("", String::as_str)
}

/// Whether a claim says which class it wants, if only that it wants none.
pub fn is_chosen(claim: &PersistentVolumeClaim) -> bool {
    let annotations = claim.metadata.annotations.as_ref();
    let is_of_old = annotations.is_some_and(|all| all.contains_key(CLASS_OF_OLD));
    let spec = claim.spec.as_ref();
    is_of_old || spec.is_some_and(|spec| spec.storage_class_name.is_some())
}

/// The class that a volume is of; empty when of none.
pub fn of_volume(volume: &PersistentVolume) -> &str {
    let annotations = volume.metadata.annotations.as_ref();
    let of_old = annotations.and_then(|all| all.get(CLASS_OF_OLD));
    let named = || volume.spec.as_ref()?.storage_class_name.as_ref();
    of_old.or_else(named).map_or("", String::as_str)
}

/// Whether claims of a class wait for the pod that uses them.
pub fn waits_for_consumer(class: &StorageClass) -> bool {
    class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer")
}

/// The class of claims that name none. Of several the newest; of those made in the same second the first by name.
pub fn default_of<'a>(
    classes: impl IntoIterator<Item = &'a StorageClass>,
) -> Option<&'a StorageClass> {
    let marked = classes.into_iter().filter(|class| {
        let annotations = class.metadata.annotations.as_ref();
        let mark = |name: &&str| annotations.and_then(|all| all.get(*name));
        DEFAULT.iter().filter_map(mark).any(|value| value == "true")
    });
    marked.min_by_key(|class| {
        let meta = &class.metadata;
        let made = meta.creation_timestamp.as_ref().map(|time| time.0);
        (Reverse(made), meta.name.clone())
    })
}

/// Whether a class makes volumes that a node can reach. No terms restrict nothing.
pub fn allows(terms: &[TopologySelectorTerm], node: &Node) -> bool {
    let label = |key: &str| node.metadata.labels.as_ref()?.get(key);
    let holds = |term: &TopologySelectorTerm| {
        let mut expressions = term.match_label_expressions.iter().flatten();
        let is_empty = term
            .match_label_expressions
            .iter()
            .flatten()
            .next()
            .is_none();
        // As with affinity, an empty term matches nothing.
        !is_empty
            && expressions.all(|it| label(&it.key).is_some_and(|value| it.values.contains(value)))
    };
    terms.is_empty() || terms.iter().any(holds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn claim(annotations: Value, spec: Value) -> PersistentVolumeClaim {
        let claim = json!({"metadata": {"annotations": annotations}, "spec": spec});
        serde_json::from_value(claim).expect("a claim")
    }

    #[test]
    fn the_annotation_of_old_outweighs_the_field() {
        let both = claim(
            json!({CLASS_OF_OLD: "old"}),
            json!({"storageClassName": "new"}),
        );
        assert_eq!(of_claim(&both), "old");
        let none = claim(json!({}), json!({"storageClassName": ""}));
        assert_eq!((of_claim(&none), is_chosen(&none)), ("", true));
        let silent = claim(json!({}), json!({}));
        assert_eq!((of_claim(&silent), is_chosen(&silent)), ("", false));
    }

    #[test]
    fn the_newest_marked_class_is_the_default() {
        let class = |name: &str, day: u8, mark: &str| -> StorageClass {
            let meta = json!({"name": name, "creationTimestamp": format!("2026-01-0{day}T00:00:00Z"),
                "annotations": {DEFAULT[0]: mark}});
            serde_json::from_value(json!({"metadata": meta, "provisioner": "p"})).expect("a class")
        };
        let classes = [
            class("a", 1, "true"),
            class("c", 2, "true"),
            class("b", 2, "true"),
            class("d", 3, "false"),
        ];
        let chosen = default_of(&classes).and_then(|class| class.metadata.name.as_deref());
        assert_eq!(chosen, Some("b"));
        assert_eq!(default_of(&classes[3..]), None);
    }

    #[test]
    fn a_topology_term_holds_when_all_its_labels_do() {
        let node: Node =
            serde_json::from_value(json!({"metadata": {"labels": {"zone": "a"}}})).expect("a node");
        let terms = |terms: Value| -> Vec<TopologySelectorTerm> {
            serde_json::from_value(terms).expect("terms")
        };
        let zone = |zone: &str| json!({"key": "zone", "values": [zone]});
        let one = |expression: Value| json!([{"matchLabelExpressions": [expression]}]);
        assert!(allows(&[], &node));
        assert!(allows(&terms(one(zone("a"))), &node));
        assert!(!allows(&terms(one(zone("b"))), &node));
        assert!(!allows(&terms(json!([{}])), &node));
        let rack = json!({"key": "rack", "values": ["1"]});
        assert!(!allows(
            &terms(json!([{"matchLabelExpressions": [zone("a"), rack]}])),
            &node
        ));
    }
}
