//! LimitRange: what each object of a namespace may ask for, and what it gets if it asks for nothing.

use std::{cmp::Ordering, collections::BTreeSet};

use serde_json::{Map, Value};

use super::resource_name;
use crate::{
    Object, Quantity,
    api::{Edit, Field, NameRule, Rules},
    name,
    resource_name::{is_extended, is_native, is_of_containers, may_overcommit},
};

/// The bounds of an item, in the order in which Kubernetes checks them.
const BOUNDS: [&str; 5] = [
    "max",
    "min",
    "default",
    "defaultRequest",
    "maxLimitRequestRatio",
];

/// Rules of `v1` `LimitRange`.
pub struct LimitRange;

impl Rules for LimitRange {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn default(&self, object: &mut Object) {
        let Some(spec) = object.as_map_mut().object("spec") else {
            return;
        };
        for item in spec.objects("limits") {
            if item.text("type") == "Container" {
                default_container(item);
            }
        }
    }

    fn check(&self, object: &Field) {
        let limits = object.get("spec");
        let limits = limits.get("limits");
        let mut types = BTreeSet::new();
        for item in limits.items() {
            let kind = item.get("type");
            check_type(&kind);
            if !types.insert(kind.str()) {
                kind.duplicate();
            }
            check_item(&item, kind.str());
        }
    }
}

/// The limit of a container is the maximum, unless said; its request is its limit, else the minimum.
fn default_container(item: &mut Map<String, Value>) {
    for (source, target) in [
        ("max", "default"),
        ("default", "defaultRequest"),
        ("min", "defaultRequest"),
    ] {
        let Some(Value::Object(amounts)) = item.get(source).cloned() else {
            continue;
        };
        if amounts.is_empty() {
            continue;
        }
        let target = item.ensure(target);
        for (name, amount) in amounts {
            target.entry(name).or_insert(amount);
        }
    }
}

fn check_type(kind: &Field) {
    let messages = name::qualified_name(kind.str());
    let is_standard = matches!(kind.str(), "Pod" | "Container" | "PersistentVolumeClaim");
    if !messages.is_empty() {
        for message in messages {
            kind.invalid_value(kind.str(), message);
        }
    } else if !kind.str().contains('/') && !is_standard {
        kind.invalid("must be a standard limit type or fully qualified");
    }
}

fn check_item(item: &Field, kind: &str) {
    let mut names = BTreeSet::new();
    for bound in BOUNDS {
        let amounts = item.get(bound);
        if kind == "Pod" && bound.starts_with("default") {
            if !amounts.is_empty() {
                amounts.forbidden("may not be specified when `type` is 'Pod'");
            }
            continue;
        }
        for (name, amount) in amounts.entries() {
            check_name(&amount, name, kind);
            names.insert(name);
        }
    }
    let has_storage = |bound| item.get(bound).key("storage").is_set();
    if kind == "PersistentVolumeClaim" && !has_storage("min") && !has_storage("max") {
        item.get("limits").required(
            "either minimum or maximum storage value is required, but neither was provided",
        );
    }
    for name in names {
        check_resource(item, name, kind == "Pod");
    }
}

fn check_name(amount: &Field, name: &str, kind: &str) {
    resource_name::check(amount, name);
    if !matches!(kind, "Pod" | "Container") {
        return;
    }
    if !name.contains('/') && !is_of_containers(name) {
        amount.invalid_value(name, "must be a standard resource for containers");
    } else if !is_native(name) && !is_extended(name) {
        amount.invalid_value(name, "doesn't follow extended resource name standard");
    }
}

/// Checks the bounds of one resource against each other.
fn check_resource(item: &Field, name: &str, is_pod: bool) {
    let lists = BOUNDS.map(|bound| item.get(bound));
    let fields = lists.each_ref().map(|list| list.key(name));
    let [max, min, default, request, ratio] = &fields;
    let ordered = |less: &Field, less_name: &str, more: &Field, more_name: &str, at: &Field| {
        if let (Some(a), Some(b)) = (amount(less), amount(more))
            && a > b
        {
            at.invalid(format!(
                "{less_name} value {a} is greater than {more_name} value {b}"
            ));
        }
    };
    ordered(min, "min", max, "max", min);
    if !is_pod {
        ordered(min, "min", request, "default request", request);
        ordered(request, "default request", max, "max", request);
        ordered(
            request,
            "default request",
            default,
            "default limit",
            request,
        );
        // These two are reported at the default with the value of the bound.
        ordered(min, "min", default, "default", &default.holding(min));
        ordered(default, "default", max, "max", &default.holding(max));
    }
    check_ratio(ratio, min, max);
    if let (false, Some(limit), Some(asked)) = (is_pod, amount(default), amount(request))
        && !may_overcommit(name)
        && limit != asked
    {
        request.invalid(format!(
            "default value {limit} must equal to defaultRequest value {asked} in {name}"
        ));
    }
}

fn check_ratio(ratio: &Field, min: &Field, max: &Field) {
    let Some(allowed) = amount(ratio) else {
        return;
    };
    if allowed < Quantity::from_millis(1000) {
        ratio.invalid(format!("ratio {allowed} is less than 1"));
    }
    if let (Some(min), Some(max)) = (amount(min), amount(max)) {
        let possible = max.as_f64() / min.as_f64();
        if allowed.as_f64().partial_cmp(&possible) == Some(Ordering::Greater) {
            ratio.invalid(format!(
                "ratio {allowed} is greater than max/min = {possible:.6}"
            ));
        }
    }
}

fn amount(field: &Field) -> Option<Quantity> {
    field.str().parse().ok()
}

#[cfg(test)]
mod tests;
