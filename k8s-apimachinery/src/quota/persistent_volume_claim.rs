//! What a claim of storage costs: itself and what it requests, in all and of its class.

use super::{Footprint, Scopes, evaluator::one};
use crate::{Object, Quantity, ResourceList};

/// The names under which claims are counted, alone and behind the name of a class.
const TRACKED: [&str; 2] = ["persistentvolumeclaims", "requests.storage"];
/// Stands between the name of a class and what is counted of it.
const PER_CLASS: &str = ".storageclass.storage.k8s.io/";
/// Where a claim named its class before there was a field.
const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";

pub(super) fn tracks(name: &str) -> bool {
    let of_class = name.rsplit_once(PER_CLASS).map(|(_, resource)| resource);
    TRACKED.contains(&of_class.unwrap_or(name))
}

pub(super) fn footprint(claim: &Object) -> Footprint {
    let class = claim
        .annotation(CLASS_ANNOTATION)
        .or_else(|| claim.str(&["spec", "storageClassName"]))
        .unwrap_or_default();
    let mut usage: ResourceList = [one(TRACKED[0])].into_iter().collect();
    if let Some(storage) = storage(claim) {
        usage.insert(TRACKED[1], storage);
    }
    if !class.is_empty() {
        let of_class: Vec<_> = usage
            .iter()
            .map(|(name, amount)| (format!("{class}{PER_CLASS}{name}"), amount))
            .collect();
        usage.add(&of_class.into_iter().collect());
    }
    Footprint {
        scopes: Scopes::Claim {
            attribute_classes: attribute_classes(claim),
        },
        ..Footprint::of(usage)
    }
}

/// What is requested, or what was allocated if that is more: a claim whose growth failed shrinks only when its volume
/// does. Whole bytes, since nothing less is counted.
fn storage(claim: &Object) -> Option<Quantity> {
    let at = |path: &[&str]| claim.str(path)?.parse::<Quantity>().ok();
    let requested = at(&["spec", "resources", "requests", "storage"])?;
    let allocated = at(&["status", "allocatedResources", "storage"]);
    let greater = allocated.map_or(requested, |allocated| allocated.max(requested));
    Some(Quantity::new(greater.value(), greater.format()))
}

/// The class that is asked for, that is in force, and that is being changed to.
fn attribute_classes(claim: &Object) -> std::collections::BTreeSet<String> {
    let names: [&[&str]; 3] = [
        &["spec", "volumeAttributesClassName"],
        &["status", "currentVolumeAttributesClassName"],
        &[
            "status",
            "modifyVolumeStatus",
            "targetVolumeAttributesClassName",
        ],
    ];
    let names = names.into_iter().filter_map(|path| claim.str(path));
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::quota::testing::footprint;

    #[track_caller]
    fn check(claim: Value, usage: &str) {
        let found = footprint("", "persistentvolumeclaims", claim).usage;
        assert_eq!(found.to_string(), usage);
    }

    fn asking(storage: &str) -> Value {
        json!({"spec": {"resources": {"requests": {"storage": storage}}}})
    }

    #[test]
    fn storage_is_counted_in_all_and_of_its_class() {
        check(
            asking("10Gi"),
            "count/persistentvolumeclaims=1,persistentvolumeclaims=1,requests.storage=10Gi",
        );
        let mut gold = asking("10Gi");
        gold["spec"]["storageClassName"] = json!("gold");
        let usage = "count/persistentvolumeclaims=1,\
            gold.storageclass.storage.k8s.io/persistentvolumeclaims=1,\
            gold.storageclass.storage.k8s.io/requests.storage=10Gi,\
            persistentvolumeclaims=1,requests.storage=10Gi";
        check(gold.clone(), usage);
        gold["metadata"]["annotations"][CLASS_ANNOTATION] = json!("gold");
        gold["spec"]["storageClassName"] = json!("other");
        check(gold, usage);
    }

    #[test]
    fn bytes_are_whole() {
        check(
            asking("1500m"),
            "count/persistentvolumeclaims=1,persistentvolumeclaims=1,requests.storage=2",
        );
    }

    #[test]
    fn what_was_allocated_counts_while_it_is_more() {
        for (allocated, counted) in [("20Gi", "20Gi"), ("5Gi", "10Gi")] {
            let mut claim = asking("10Gi");
            claim["status"] = json!({"allocatedResources": {"storage": allocated}});
            check(
                claim,
                &format!(
                    "count/persistentvolumeclaims=1,persistentvolumeclaims=1,requests.storage={counted}"
                ),
            );
        }
    }

    #[test]
    fn all_attribute_classes_of_a_claim_count() {
        let claim = json!({
            "spec": {"volumeAttributesClassName": "b"},
            "status": {
                "currentVolumeAttributesClassName": "a",
                "modifyVolumeStatus": {"targetVolumeAttributesClassName": "b"},
            },
        });
        let want = Scopes::Claim {
            attribute_classes: ["a", "b"].map(str::to_owned).into(),
        };
        assert_eq!(footprint("", "persistentvolumeclaims", claim).scopes, want);
    }
}
