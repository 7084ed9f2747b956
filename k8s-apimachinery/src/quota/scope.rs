//! Scopes: which objects a quota counts, by what they are.

use std::collections::BTreeSet;

use crate::{Object, Value};

/// One condition of a quota: a scope, and for scopes with values what they must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// `Terminating`, `PriorityClass`.
    pub scope: String,
    /// `Exists`, `DoesNotExist`, `In`, `NotIn`.
    pub operator: String,
    /// For `In` and `NotIn`.
    pub values: Vec<String>,
}

/// What an object is, as far as scopes go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scopes {
    /// Of a kind that scopes never speak of: no quota with scopes counts it.
    #[default]
    None,
    /// A pod.
    Pod {
        /// It has a deadline.
        is_terminating: bool,
        /// It requests and limits nothing.
        is_best_effort: bool,
        /// The name of its priority class, if it names one.
        priority_class: Option<String>,
        /// Its affinity looks into other namespaces.
        is_cross_namespace: bool,
    },
    /// A claim of storage, with the classes of changeable properties that it has or shall have.
    Claim {
        /// Their names.
        attribute_classes: BTreeSet<String>,
    },
}

impl Scopes {
    /// Whether an object with these scopes meets the requirement.
    pub fn meet(&self, requirement: &Requirement) -> bool {
        match self {
            Scopes::None => false,
            Scopes::Pod {
                is_terminating,
                is_best_effort,
                priority_class,
                is_cross_namespace,
            } => match requirement.scope.as_str() {
                "Terminating" => *is_terminating,
                "NotTerminating" => !is_terminating,
                "BestEffort" => *is_best_effort,
                "NotBestEffort" => !is_best_effort,
                "PriorityClass" => requirement.admits(priority_class),
                "CrossNamespacePodAffinity" => *is_cross_namespace,
                _ => false,
            },
            Scopes::Claim { attribute_classes } => {
                requirement.scope == "VolumeAttributesClass"
                    && requirement.admits(attribute_classes)
            }
        }
    }
}

impl Requirement {
    /// Whether one of the values that an object has is as required, or that it has none.
    fn admits<'a>(&self, held: impl IntoIterator<Item = &'a String>) -> bool {
        let mut held = held.into_iter().peekable();
        let is_listed = |value: &String| self.values.contains(value);
        let is_none = held.peek().is_none();
        match self.operator.as_str() {
            "Exists" => !is_none,
            "DoesNotExist" => is_none,
            "In" => held.any(is_listed),
            "NotIn" => is_none || held.any(|value| !is_listed(value)),
            _ => false,
        }
    }
}

/// All requirements of a quota: its scopes, and the expressions of its selector.
pub(super) fn requirements(quota: &Object) -> Vec<Requirement> {
    let items = |path: &[&str]| {
        let list = quota.get(path).and_then(Value::as_array);
        list.map_or(&[][..], Vec::as_slice)
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let scopes = items(&["spec", "scopes"]).iter().map(|scope| Requirement {
        scope: text(scope),
        operator: "Exists".to_owned(),
        values: Vec::new(),
    });
    let expressions = items(&["spec", "scopeSelector", "matchExpressions"]).iter();
    let selected = expressions.map(|expression| Requirement {
        scope: text(&expression["scopeName"]),
        operator: text(&expression["operator"]),
        values: expression["values"]
            .as_array()
            .map(|values| values.iter().map(text).collect())
            .unwrap_or_default(),
    });
    scopes.chain(selected).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::quota::testing::object;

    fn pod() -> Scopes {
        Scopes::Pod {
            is_terminating: false,
            is_best_effort: true,
            priority_class: Some("high".to_owned()),
            is_cross_namespace: false,
        }
    }

    fn claim(classes: &[&str]) -> Scopes {
        Scopes::Claim {
            attribute_classes: classes.iter().map(|&class| class.to_owned()).collect(),
        }
    }

    fn requirement(scope: &str, operator: &str, values: &[&str]) -> Requirement {
        Requirement {
            scope: scope.to_owned(),
            operator: operator.to_owned(),
            values: values.iter().map(|&value| value.to_owned()).collect(),
        }
    }

    #[test]
    fn pods_are_terminating_or_not_best_effort_or_not() {
        for (scope, is_met) in [
            ("Terminating", false),
            ("NotTerminating", true),
            ("BestEffort", true),
            ("NotBestEffort", false),
            ("CrossNamespacePodAffinity", false),
            ("PriorityClass", true),
            ("VolumeAttributesClass", false),
            ("Unheard", false),
        ] {
            assert_eq!(
                pod().meet(&requirement(scope, "Exists", &[])),
                is_met,
                "{scope}"
            );
        }
    }

    #[test]
    fn classes_are_compared_by_name() {
        let priority = |class: Option<&str>| Scopes::Pod {
            is_terminating: false,
            is_best_effort: false,
            priority_class: class.map(str::to_owned),
            is_cross_namespace: false,
        };
        for (operator, values, high, none) in [
            ("In", &["high", "low"][..], true, false),
            ("In", &["low"], false, false),
            ("NotIn", &["low"], true, true),
            ("NotIn", &["high"], false, true),
            ("Exists", &[], true, false),
            ("DoesNotExist", &[], false, true),
        ] {
            let wanted = requirement("PriorityClass", operator, values);
            let found = [Some("high"), None].map(|class| priority(class).meet(&wanted));
            assert_eq!(found, [high, none], "{operator} {values:?}");
            let wanted = requirement("VolumeAttributesClass", operator, values);
            let found = [&["high"][..], &[]].map(|classes| claim(classes).meet(&wanted));
            assert_eq!(found, [high, none], "{operator} {values:?} of claims");
        }
    }

    #[test]
    fn a_claim_that_changes_its_class_has_both() {
        let both = claim(&["gold", "silver"]);
        for class in ["gold", "silver"] {
            assert!(both.meet(&requirement("VolumeAttributesClass", "In", &[class])));
        }
        assert!(!both.meet(&requirement("VolumeAttributesClass", "In", &["iron"])));
        assert!(!both.meet(&requirement("BestEffort", "Exists", &[])));
    }

    #[test]
    fn scopes_and_expressions_are_requirements_alike() {
        let quota = object(json!({"spec": {
            "scopes": ["BestEffort"],
            "scopeSelector": {"matchExpressions": [
                {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]},
            ]},
        }}));
        let found = requirements(&quota);
        assert_eq!(
            found,
            [
                requirement("BestEffort", "Exists", &[]),
                requirement("PriorityClass", "In", &["high"]),
            ]
        );
        assert!(found.iter().all(|each| pod().meet(each)));
        assert!(!found.iter().any(|each| Scopes::None.meet(each)));
    }
}
