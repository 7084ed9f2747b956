//! The kinds that quotas count, and under which names.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

use super::{Footprint, Scopes, persistent_volume_claim, pod, resource_claim, service};
use crate::{Object, Quantity, ResourceList, quantity::Format};

/// Kinds whose count has a name without `count/`, from before that was.
const ALIASES: [&str; 4] = [
    "configmaps",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
];

/// Knows what objects of one kind cost.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Evaluator {
    /// The API group, empty for the core group.
    pub group: String,
    /// The plural, `pods`.
    pub plural: String,
    kind: Kind,
}

/// The kinds that cost more than one of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Pod,
    Service,
    PersistentVolumeClaim,
    ResourceClaim,
    Other,
}

impl Evaluator {
    /// What counts objects of that group and plural. `None` for events, which no quota counts: they would only get lost.
    pub fn of(group: &str, plural: &str) -> Option<Self> {
        let kind = match (group, plural) {
            ("" | "events.k8s.io", "events") => return None,
            ("", "pods") => Kind::Pod,
            ("", "services") => Kind::Service,
            ("", "persistentvolumeclaims") => Kind::PersistentVolumeClaim,
            ("resource.k8s.io", "resourceclaims") => Kind::ResourceClaim,
            _ => Kind::Other,
        };
        Some(Evaluator {
            group: group.to_owned(),
            plural: plural.to_owned(),
            kind,
        })
    }

    /// What counts for a name in a quota's `hard`: `count/deployments.apps` leads to deployments, `cpu` to pods.
    pub fn for_name(name: &str) -> Option<Self> {
        const COMPOUND: [(&str, &str); 4] = [
            ("", "pods"),
            ("", "services"),
            ("", "persistentvolumeclaims"),
            ("resource.k8s.io", "resourceclaims"),
        ];
        let mut compound = COMPOUND
            .iter()
            .filter_map(|(group, plural)| Evaluator::of(group, plural));
        if let Some(found) = compound.find(|evaluator| evaluator.tracks(name)) {
            return Some(found);
        }
        let resource = match name.strip_prefix("count/") {
            Some(resource) => resource,
            None if ALIASES.contains(&name) => name,
            None => return None,
        };
        let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
        Evaluator::of(group, plural)
    }

    /// Whether objects of this kind use what the name in a quota's `hard` stands for.
    pub fn tracks(&self, name: &str) -> bool {
        name == self.count_name()
            || match self.kind {
                Kind::Pod => pod::tracks(name),
                Kind::Service => service::TRACKED.contains(&name),
                Kind::PersistentVolumeClaim => persistent_volume_claim::tracks(name),
                Kind::ResourceClaim => name.ends_with(resource_claim::PER_CLASS),
                Kind::Other => Some(name) == self.alias(),
            }
    }

    /// What an object costs at a moment: a pod that should have ended by then costs less.
    pub fn footprint(&self, object: &Object, now: Timestamp) -> Footprint {
        let mut footprint = match self.kind {
            // A pod that can't be read costs nothing but itself; validation lets none pass.
            Kind::Pod => object
                .view::<Pod>()
                .map(|pod| pod::footprint(&pod, now))
                .unwrap_or_default(),
            Kind::Service => Footprint::of(service::usage(object)),
            Kind::PersistentVolumeClaim => persistent_volume_claim::footprint(object),
            Kind::ResourceClaim => Footprint::of(resource_claim::usage(object)),
            Kind::Other => Footprint::of(self.alias().map(one).into_iter().collect()),
        };
        let (name, amount) = one(&self.count_name());
        footprint.usage.insert(name, amount);
        footprint
    }

    /// Whether an object costs the same whatever is in it: it can be counted without being read.
    pub fn counts_alone(&self) -> bool {
        self.kind == Kind::Other
    }

    /// Whether an update, through a subresource or with an empty one of the object itself, may cost more than before.
    pub fn charges_update(&self, subresource: &str, old: &Footprint, new: &Footprint) -> bool {
        match (self.kind, subresource) {
            // What a pod requests changes through `resize` alone, but a deadline moves it from one scope to another.
            (Kind::Pod, "") => is_terminating(old) != is_terminating(new),
            (Kind::Pod, "resize")
            | (Kind::Service | Kind::ResourceClaim, "")
            | (Kind::PersistentVolumeClaim, "" | "status") => true,
            _ => false,
        }
    }

    /// The name under which every kind is counted: `count/deployments.apps`.
    fn count_name(&self) -> String {
        match self.group.as_str() {
            "" => format!("count/{}", self.plural),
            group => format!("count/{}.{group}", self.plural),
        }
    }

    fn alias(&self) -> Option<&'static str> {
        let mut aliases = ALIASES.into_iter();
        aliases.find(|alias| self.group.is_empty() && self.plural == *alias)
    }
}

fn is_terminating(footprint: &Footprint) -> bool {
    matches!(
        footprint.scopes,
        Scopes::Pod {
            is_terminating: true,
            ..
        }
    )
}

/// One of something.
pub(super) fn one(name: &str) -> (String, Quantity) {
    (name.to_owned(), whole(1))
}

/// So many of something.
pub(super) fn whole(count: usize) -> Quantity {
    Quantity::new(i64::try_from(count).unwrap_or(i64::MAX), Format::Decimal)
}

/// A list of counts.
pub(super) fn counts<const N: usize>(counts: [(&str, usize); N]) -> ResourceList {
    let entries = counts.into_iter();
    entries
        .map(|(name, count)| (name.to_owned(), whole(count)))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::quota::testing::footprint;

    #[test]
    fn every_kind_is_counted_once_under_its_name() {
        for (group, plural, usage) in [
            ("", "configmaps", "configmaps=1,count/configmaps=1"),
            ("", "serviceaccounts", "count/serviceaccounts=1"),
            ("apps", "deployments", "count/deployments.apps=1"),
            ("example.com", "secrets", "count/secrets.example.com=1"),
        ] {
            assert_eq!(footprint(group, plural, json!({})).usage.to_string(), usage);
        }
        assert_eq!(Evaluator::of("", "events"), None);
        assert_eq!(Evaluator::of("events.k8s.io", "events"), None);
    }

    #[test]
    fn a_name_leads_to_the_kind_that_uses_it() {
        for (name, group, plural) in [
            ("cpu", "", "pods"),
            ("limits.memory", "", "pods"),
            ("hugepages-2Mi", "", "pods"),
            ("requests.hugepages-2Mi", "", "pods"),
            ("requests.example.com/gpu", "", "pods"),
            ("count/pods", "", "pods"),
            ("services.nodeports", "", "services"),
            ("requests.storage", "", "persistentvolumeclaims"),
            (
                "gold.storageclass.storage.k8s.io/requests.storage",
                "",
                "persistentvolumeclaims",
            ),
            (
                "gpu.deviceclass.resource.k8s.io/devices",
                "resource.k8s.io",
                "resourceclaims",
            ),
            ("secrets", "", "secrets"),
            ("count/secrets", "", "secrets"),
            ("count/widgets.example.com", "example.com", "widgets"),
        ] {
            let found = Evaluator::for_name(name).unwrap_or_else(|| panic!("{name} is counted"));
            assert_eq!(
                (found.group.as_str(), found.plural.as_str()),
                (group, plural),
                "{name}"
            );
            assert!(found.tracks(name), "{name}");
        }
        for name in [
            "count/events",
            "storage",
            "deployments",
            "limits.example.com/gpu",
        ] {
            assert_eq!(Evaluator::for_name(name), None, "{name}");
        }
    }

    #[test]
    fn aliases_are_of_the_core_group() {
        let secrets = |group| Evaluator::of(group, "secrets").expect("a counted kind");
        assert!(secrets("").tracks("secrets"));
        assert!(!secrets("example.com").tracks("secrets"));
    }

    #[test]
    fn updates_cost_where_the_kind_can_grow() {
        let charges = |group, plural, subresource| {
            let evaluator = Evaluator::of(group, plural).expect("a counted kind");
            let same = footprint(group, plural, json!({}));
            evaluator.charges_update(subresource, &same, &same)
        };
        assert!(charges("", "services", ""));
        assert!(!charges("", "services", "status"));
        assert!(charges("", "persistentvolumeclaims", "status"));
        assert!(charges("", "pods", "resize"));
        assert!(!charges("", "pods", ""));
        assert!(!charges("", "pods", "status"));
        assert!(!charges("", "secrets", ""));
        assert!(charges("resource.k8s.io", "resourceclaims", ""));

        let pods = Evaluator::of("", "pods").expect("a counted kind");
        let [plain, ending] = [json!({}), json!({"activeDeadlineSeconds": 5})].map(|mut spec| {
            spec["containers"] = json!([]);
            footprint("", "pods", json!({"spec": spec}))
        });
        assert!(pods.charges_update("", &plain, &ending));
        assert!(!pods.charges_update("", &ending, &ending));
    }
}
