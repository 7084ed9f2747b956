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
        let scopes = spec.get("scopes");
        check_scopes(&scopes, &hard);
        check_selector(&spec.get("scopeSelector"), &scopes, &hard);
    }

    fn check_create(&self, object: &Field) {
        check_lists(&object.get("status"));
    }

    fn check_update(&self, new: &Field, old: &Field) {
        let (new, old) = (new.get("spec"), old.get("spec"));
        let scopes = new.get("scopes");
        if set(&scopes) != set(&old.get("scopes")) {
            scopes.invalid(IMMUTABLE);
        }
    }

    fn check_status(&self, new: &Field, _old: &Field) {
        check_lists(&new.get("status"));
    }
}

fn check_lists(status: &Field) {
    for list in ["hard", "used"] {
        check_amounts(&status.get(list));
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

fn check_selector(selector: &Field, scopes: &Field, hard: &Field) {
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
    // Kubernetes shows the scopes beside the selector here.
    check_opposites(&expressions.holding(scopes), &names);
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
mod tests;
