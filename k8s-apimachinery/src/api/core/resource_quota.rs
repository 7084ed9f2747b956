//! ResourceQuota: what all objects of a namespace may use together.

use std::collections::BTreeSet;

use super::resource_name;
use crate::{
    Quantity,
    api::{Field, IMMUTABLE, NameRule, Rules},
    resource_name::{is_of_quotas, is_whole},
};

/// Scopes that can't be asked for together.
const OPPOSITES: [[&str; 2]; 2] = [
    ["BestEffort", "NotBestEffort"],
    ["Terminating", "NotTerminating"],
];
/// What pods request and limit, as far as scopes of pods go with it.
const OF_PODS: [&str; 7] = [
    "pods",
    "cpu",
    "memory",
    "requests.cpu",
    "requests.memory",
    "limits.cpu",
    "limits.memory",
];

/// Rules of `v1` `ResourceQuota`.
pub struct ResourceQuota;

impl Rules for ResourceQuota {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        let hard = spec.get("hard");
        check_amounts(&hard);
        check_scopes(&spec.get("scopes"), &hard);
        check_selector(&spec.get("scopeSelector"), &hard);
    }

    fn check_update(&self, new: &Field, old: &Field) {
        let (new, old) = (new.get("spec"), old.get("spec"));
        let scopes = new.get("scopes");
        if set(&scopes) != set(&old.get("scopes")) {
            scopes.invalid(IMMUTABLE);
        }
    }

    fn check_status(&self, new: &Field, _old: &Field) {
        let status = new.get("status");
        for list in ["hard", "used"] {
            check_amounts(&status.get(list));
        }
    }
}

fn check_amounts(list: &Field) {
    for (name, amount) in list.entries() {
        resource_name::check(&amount, name);
        if !name.contains('/') && !is_of_quotas(name) {
            amount.invalid_value(name, "must be a standard resource for quota");
        }
        let Ok(quantity) = amount.str().parse::<Quantity>() else {
            continue;
        };
        if quantity.is_negative() {
            amount.invalid("must be greater than or equal to 0");
        }
        if is_whole(name) && quantity.milli_value() % 1000 != 0 {
            amount.invalid("must be an integer");
        }
    }
}

fn check_scopes(scopes: &Field, hard: &Field) {
    let names = set(scopes);
    for scope in scopes.items() {
        if !is_scope(scope.str()) {
            scopes.invalid("unsupported scope");
        }
        check_hard(scopes, scope.str(), hard);
    }
    check_opposites(scopes, &names);
}

fn check_selector(selector: &Field, hard: &Field) {
    let expressions = selector.get("matchExpressions");
    let mut names = BTreeSet::new();
    for expression in expressions.items() {
        // Kubernetes reports these for the list as a whole, and without an index.
        let part = |name| expression.get(name);
        let (scope, operator, values) = (part("scopeName"), part("operator"), part("values"));
        let at_scope = expressions.get("scopeName");
        if !is_scope(scope.str()) {
            at_scope.invalid_value(scope.str(), "unsupported scope");
        }
        check_hard(&expressions.holding(selector), scope.str(), hard);
        let at_operator = expressions.get("operator");
        if takes_no_values(scope.str()) && operator.str() != "Exists" {
            at_operator.invalid_value(
                operator.str(),
                "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
            );
        }
        let at_values = expressions.get("values");
        match operator.str() {
            "In" | "NotIn" if values.is_empty() => at_values.required(
                "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
            ),
            "Exists" | "DoesNotExist" if !values.is_empty() => at_values.holding(&values).invalid(
                "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
            ),
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => at_operator.invalid_value(other, "not a valid selector operator"),
        }
        names.insert(scope.str());
    }
    check_opposites(&expressions, &names);
}

/// A scope goes only with resources of the objects that it speaks of.
fn check_hard(at: &Field, scope: &str, hard: &Field) {
    for name in hard.names().filter(|name| is_of_quotas(name)) {
        let fits = match scope {
            "Terminating"
            | "NotTerminating"
            | "NotBestEffort"
            | "PriorityClass"
            | "CrossNamespacePodAffinity" => OF_PODS.contains(&name),
            "BestEffort" => name == "pods",
            "VolumeAttributesClass" => {
                matches!(name, "persistentvolumeclaims" | "requests.storage")
            }
            _ => true,
        };
        if !fits {
            at.invalid("unsupported scope applied to resource");
        }
    }
}

fn check_opposites(at: &Field, names: &BTreeSet<&str>) {
    for pair in OPPOSITES {
        if pair.iter().all(|name| names.contains(name)) {
            at.invalid("conflicting scopes");
        }
    }
}

fn is_scope(name: &str) -> bool {
    takes_no_values(name) || matches!(name, "PriorityClass" | "VolumeAttributesClass")
}

/// Whether an object is in the scope or isn't, with nothing to compare.
fn takes_no_values(scope: &str) -> bool {
    scope == "CrossNamespacePodAffinity" || OPPOSITES.as_flattened().contains(&scope)
}

fn set<'v>(list: &Field<'_, 'v>) -> BTreeSet<&'v str> {
    list.items().map(|item| item.str()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::testing::{check_create, check_status, check_update, named};

    #[track_caller]
    fn check(spec: Value, want: &[&str]) {
        check_create(&ResourceQuota, named(json!({ "spec": spec })), want);
    }

    #[test]
    fn resources_are_those_of_quotas() {
        check(
            json!({"hard": {
                "pods": "1", "requests.cpu": "1500m", "count/deployments.apps": "1",
                "requests.example.com/gpu": "4", "hugepages-2Mi": "2Mi",
                "gold.storageclass.storage.k8s.io/requests.storage": "1Gi",
            }}),
            &[],
        );
        check(
            json!({"hard": {"storage": "1", "batteries": "1"}}),
            &[
                r#"spec.hard[batteries]: Invalid value: "batteries": must be a standard resource type or fully qualified"#,
                r#"spec.hard[batteries]: Invalid value: "batteries": must be a standard resource for quota"#,
                r#"spec.hard[storage]: Invalid value: "storage": must be a standard resource for quota"#,
            ],
        );
    }

    #[test]
    fn counts_are_whole_and_nothing_is_negative() {
        check(
            json!({"hard": {"pods": "500m", "count/deployments.apps": "1500m", "cpu": "-1"}}),
            &[
                r#"spec.hard[count/deployments.apps]: Invalid value: "1500m": must be an integer"#,
                r#"spec.hard[cpu]: Invalid value: "-1": must be greater than or equal to 0"#,
                r#"spec.hard[pods]: Invalid value: "500m": must be an integer"#,
            ],
        );
    }

    #[test]
    fn scopes_go_with_what_they_speak_of() {
        check(
            json!({"hard": {"pods": "1", "count/pods": "1"}, "scopes": ["BestEffort", "NotTerminating"]}),
            &[],
        );
        check(
            json!({"hard": {"cpu": "1"}, "scopes": ["BestEffort"]}),
            &[
                r#"spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource"#,
            ],
        );
        check(
            json!({"hard": {"pods": "1"}, "scopes": ["BestEffort", "NotBestEffort", "Odd"]}),
            &[
                r#"spec.scopes: Invalid value: ["BestEffort","NotBestEffort","Odd"]: unsupported scope"#,
                r#"spec.scopes: Invalid value: ["BestEffort","NotBestEffort","Odd"]: conflicting scopes"#,
            ],
        );
        check(
            json!({"hard": {"requests.storage": "1"}, "scopes": ["VolumeAttributesClass"]}),
            &[],
        );
        check(
            json!({"hard": {"services": "1"}, "scopes": ["VolumeAttributesClass"]}),
            &[
                r#"spec.scopes: Invalid value: ["VolumeAttributesClass"]: unsupported scope applied to resource"#,
            ],
        );
    }

    #[test]
    fn selectors_have_operators_that_fit() {
        let selecting = |expression: Value| json!({"hard": {"pods": "1"}, "scopeSelector": {"matchExpressions": [expression]}});
        check(
            selecting(json!({"scopeName": "PriorityClass", "operator": "In", "values": ["a"]})),
            &[],
        );
        check(
            selecting(json!({"scopeName": "PriorityClass", "operator": "In"})),
            &[
                "spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
            ],
        );
        check(
            selecting(json!({"scopeName": "PriorityClass", "operator": "Exists", "values": ["a"]})),
            &[
                r#"spec.scopeSelector.matchExpressions.values: Invalid value: ["a"]: must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"#,
            ],
        );
        check(
            selecting(json!({"scopeName": "PriorityClass", "operator": "Is"})),
            &[
                r#"spec.scopeSelector.matchExpressions.operator: Invalid value: "Is": not a valid selector operator"#,
            ],
        );
        check(
            selecting(json!({"scopeName": "BestEffort", "operator": "DoesNotExist"})),
            &[
                r#"spec.scopeSelector.matchExpressions.operator: Invalid value: "DoesNotExist": must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"#,
            ],
        );
        check(
            selecting(json!({"scopeName": "Odd", "operator": "Exists"})),
            &[
                r#"spec.scopeSelector.matchExpressions.scopeName: Invalid value: "Odd": unsupported scope"#,
            ],
        );
    }

    #[test]
    fn scopes_stay() {
        let with = |scopes: &[&str], pods: &str| {
            named(json!({"spec": {"hard": {"pods": pods}, "scopes": scopes}}))
        };
        let two = ["BestEffort", "Terminating"];
        check_update(
            &ResourceQuota,
            with(&two, "1"),
            with(&["Terminating", "BestEffort"], "2"),
            &[],
        );
        check_update(
            &ResourceQuota,
            with(&two, "1"),
            with(&["BestEffort"], "1"),
            &[r#"spec.scopes: Invalid value: ["BestEffort"]: field is immutable"#],
        );
    }

    #[test]
    fn a_status_names_resources_of_quotas() {
        check_status(
            &ResourceQuota,
            named(json!({"status": {"hard": {"batteries": "1"}, "used": {"pods": "-1"}}})),
            &[
                r#"status.hard[batteries]: Invalid value: "batteries": must be a standard resource type or fully qualified"#,
                r#"status.hard[batteries]: Invalid value: "batteries": must be a standard resource for quota"#,
                r#"status.used[pods]: Invalid value: "-1": must be greater than or equal to 0"#,
            ],
        );
    }
}
