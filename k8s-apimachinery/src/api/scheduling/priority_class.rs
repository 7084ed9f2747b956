//! PriorityClass: a name for how important pods are (KEP-268).

use crate::api::{Edit, Field, NameRule, Rules};
use crate::object::Object;

/// The highest priority that is not the system's own.
const HIGHEST: i64 = 1_000_000_000;

/// A class that every cluster has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemClass {
    /// `system-node-critical`.
    pub name: &'static str,
    /// Its priority.
    pub value: i64,
    /// What it is for.
    pub description: &'static str,
}

/// The classes that every cluster has; they can't be changed.
pub const SYSTEM_CLASSES: [SystemClass; 2] = [
    SystemClass {
        name: "system-node-critical",
        value: 2 * HIGHEST + 1000,
        description: "Used for system critical pods that must not be moved from their current node.",
    },
    SystemClass {
        name: "system-cluster-critical",
        value: 2 * HIGHEST,
        description: "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    },
];

/// Rules of `scheduling.k8s.io/v1` `PriorityClass`.
pub struct PriorityClass;

impl Rules for PriorityClass {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn default(&self, object: &mut Object) {
        object
            .as_map_mut()
            .fill("preemptionPolicy", "PreemptLowerPriority");
    }

    fn check(&self, object: &Field) {
        let (metadata, value) = (object.get("metadata"), object.get("value"));
        let name = metadata.get("name");
        if name.str().starts_with("system-") {
            check_system(object, &name);
        } else if value.int().unwrap_or(0) > HIGHEST {
            value.forbidden(format!(
                "maximum allowed value of a user defined priority is {HIGHEST}"
            ));
        }
        object
            .get("preemptionPolicy")
            .must_be_one_of(&["Never", "PreemptLowerPriority"]);
    }

    fn check_update(&self, new: &Field, old: &Field) {
        if new.get("value").int().unwrap_or(0) != old.get("value").int().unwrap_or(0) {
            // Kubernetes names the field as its own type does.
            new.get("Value")
                .forbidden("may not be changed in an update.");
        }
        new.get("preemptionPolicy")
            .must_not_change(&old.get("preemptionPolicy"));
    }
}

fn check_system(object: &Field, name: &Field) {
    let known = SYSTEM_CLASSES.iter().find(|class| class.name == name.str());
    let why = match known {
        None => format!("{} is not a known system priority class", name.str()),
        Some(class) if object.get("value").int() != Some(class.value) => {
            format!(
                "value of {} PriorityClass must be {}",
                class.name, class.value
            )
        }
        Some(class) if object.get("globalDefault").is_true() => {
            format!(
                "globalDefault of {} PriorityClass must be false",
                class.name
            )
        }
        Some(_) => return,
    };
    name.forbidden(format!(
        "priority class names with 'system-' prefix are reserved for system use only. error: {why}"
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_update, object};
    use serde_json::json;

    fn class(name: &str, value: i64) -> Object {
        object(json!({"metadata": {"name": name}, "value": value}))
    }

    #[test]
    fn high_values_are_the_systems() {
        check_create(&PriorityClass, class("a", HIGHEST), &[]);
        check_create(
            &PriorityClass,
            class("a", HIGHEST + 1),
            &["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"],
        );
        for system in SYSTEM_CLASSES {
            check_create(&PriorityClass, class(system.name, system.value), &[]);
        }
        check_create(
            &PriorityClass,
            class("system-a", 1),
            &[
                "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-a is not a known system priority class",
            ],
        );
        check_create(
            &PriorityClass,
            class("system-node-critical", 1),
            &[
                "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: value of system-node-critical PriorityClass must be 2000001000",
            ],
        );
    }

    #[test]
    fn the_value_and_the_policy_stay() {
        let mut never = class("a", 2);
        never.set(&["preemptionPolicy"], "Never".into());
        check_update(
            &PriorityClass,
            class("a", 1),
            never,
            &[
                "Value: Forbidden: may not be changed in an update.",
                r#"preemptionPolicy: Invalid value: "Never": field is immutable"#,
            ],
        );
    }
}
