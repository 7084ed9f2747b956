//! One device of a slice.

use serde_json::{Value, json};

use super::allocation::check_binding_conditions;
use super::identifier::{check_label, check_qualified};
use super::{capacity, must_be_short, must_differ, taint};
use crate::api::Field;
use crate::api::selector::check_node_selector_term;
use crate::name;
use crate::quantity::Quantity;

const MAX_ENTRIES: usize = 32;
const MAX_VALUES: usize = 48;
const MAX_TEXT: usize = 64;
const MAX_TAINTS: usize = 16;
const MAX_CONSUMED: usize = 2;
pub(super) const MAX_COUNTERS: usize = 32;
const VALUES: [&str; 8] = [
    "bool", "int", "string", "version", "bools", "ints", "strings", "versions",
];
const ONE_PLACE: &str = "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec";

/// Checks a device; `has_own_place` says that each device of the slice tells its nodes by itself.
pub(super) fn check(device: &Field, has_own_place: bool) {
    check_label(&device.get("name"));
    let (attributes, capacities) = (device.get("attributes"), device.get("capacity"));
    let entries = attributes.len() + capacities.len();
    if entries > MAX_ENTRIES {
        device.invalid_value(
            entries,
            format!("the total number of attributes and capacities must not exceed {MAX_ENTRIES}"),
        );
    }
    let values: usize = attributes
        .entries()
        .map(|(_, each)| value_count(&each))
        .sum();
    if values > MAX_VALUES {
        device.invalid_value(
            values,
            format!("the total number of attribute values must not exceed {MAX_VALUES}"),
        );
    }
    for (name, attribute) in attributes.entries() {
        check_qualified(&attributes, name);
        check_attribute(&attribute);
    }
    let is_shared = device.get("allowMultipleAllocations").is_true();
    for (name, each) in capacities.entries() {
        check_qualified(&capacities, name);
        capacity::check(&each, is_shared);
    }
    let taints = device.get("taints");
    if must_be_short(&taints, MAX_TAINTS) {
        taints.items().for_each(|each| taint::check(&each, ""));
    }
    check_consumed(&device.get("consumesCounters"));
    check_place(device, has_own_place);
    check_binding_conditions(device);
    check_node_resources(device);
}

fn value_count(attribute: &Field) -> usize {
    let lists = ["bools", "ints", "strings", "versions"];
    let count: usize = lists.map(|list| attribute.get(list).len()).iter().sum();
    count.max(1)
}

fn check_attribute(attribute: &Field) {
    for list in ["bools", "ints", "strings", "versions"] {
        let list = attribute.get(list);
        if list.is_set() && list.is_empty() {
            list.invalid("must not be empty if specified");
        }
    }
    let check_text = |text: &Field| {
        if text.str().len() > MAX_TEXT {
            text.too_long(MAX_TEXT);
        }
    };
    let check_version = |version: &Field| {
        if !is_version(version.str()) {
            version.invalid("must be a string compatible with semver.org spec 2.0.0");
        }
        check_text(version);
    };
    check_text(&attribute.get("string"));
    attribute
        .get("strings")
        .items()
        .for_each(|t| check_text(&t));
    let version = attribute.get("version");
    if version.is_set() {
        check_version(&version);
    }
    attribute
        .get("versions")
        .items()
        .for_each(|v| check_version(&v));
    let set = VALUES.iter().filter(|field| attribute.get(field).is_set());
    match set.count() {
        0 => attribute.invalid_value("", "exactly one value must be specified"),
        1 => {}
        _ => attribute.invalid("exactly one value must be specified"),
    }
}

/// Whether the text is a version as of semver.org 2.0.0.
fn is_version(text: &str) -> bool {
    let is_identifier = |part: &str| {
        !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
    };
    let is_digits = |part: &str| part.bytes().all(|c| c.is_ascii_digit());
    let is_number =
        |part: &str| !part.is_empty() && is_digits(part) && (part == "0" || !part.starts_with('0'));
    let is_pre_release = |part: &str| is_identifier(part) && (!is_digits(part) || is_number(part));
    let (text, build) = match text.split_once('+') {
        Some((text, build)) => (text, Some(build)),
        None => (text, None),
    };
    let (core, pre_release) = match text.split_once('-') {
        Some((core, pre_release)) => (core, Some(pre_release)),
        None => (text, None),
    };
    core.split('.').count() == 3
        && core.split('.').all(is_number)
        && pre_release.is_none_or(|parts| parts.split('.').all(is_pre_release))
        && build.is_none_or(|parts| parts.split('.').all(is_identifier))
}

fn check_consumed(consumed: &Field) {
    if !must_be_short(consumed, MAX_CONSUMED) {
        return;
    }
    for each in consumed.items() {
        let set = each.get("counterSet");
        if set.must_be_set() {
            check_label(&set);
        }
        check_counters(&each.get("counters"));
    }
    must_differ(consumed, "counterSet");
}

/// Checks the counters of a set, or those that a device takes of one.
pub(super) fn check_counters(counters: &Field) {
    if !counters.must_be_set() || !must_be_short(counters, MAX_COUNTERS) {
        return;
    }
    for (name, _) in counters.entries() {
        for message in name::dns1123_label(name) {
            counters.invalid_value(name, message);
        }
    }
}

fn check_place(device: &Field, has_own_place: bool) {
    let [node, selector, all] =
        ["nodeName", "nodeSelector", "allNodes"].map(|field| device.get(field));
    if !has_own_place {
        if [&node, &selector, &all].iter().any(|field| field.is_set()) {
            device.invalid_value(
                Value::Null,
                "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec",
            );
        }
        return;
    }
    let mut places = Vec::new();
    if node.is_set() {
        match node.is_empty() {
            true => node.invalid("must not be empty"),
            false => {
                places.push("`nodeName`");
                node.invalid_for(name::dns1123_subdomain(node.str()));
            }
        }
    }
    if selector.is_set() {
        places.push("`nodeSelector`");
        check_nodes(&selector);
    }
    if all.is_set() {
        match all.is_true() {
            true => places.push("`allNodes`"),
            false => all.invalid("must be either unset or set to true"),
        }
    }
    match places.len() {
        0 => device.required(ONE_PLACE),
        1 => {}
        _ => device.invalid_value(format!("{{{}}}", places.join(", ")), ONE_PLACE),
    }
}

/// Checks a selector of nodes.
pub(super) fn check_nodes(selector: &Field) {
    let terms = selector.get("nodeSelectorTerms");
    if terms.is_empty() {
        terms.required("must have at least one node selector term");
    }
    terms
        .items()
        .for_each(|term| check_node_selector_term(&term));
}

/// What a device takes of the node's own resources (KEP-5517).
fn check_node_resources(device: &Field) {
    let capacities = device.get("capacity");
    for (resource, taken) in device.get("nodeAllocatableResources").entries() {
        if !is_node_resource(resource) {
            taken.invalid_value(resource, "must be a node allocatable resource name");
        }
        let (mapping, overhead) = (taken.get("mapping"), taken.get("overhead"));
        if !mapping.is_set() && !overhead.is_set() {
            taken.required("at least one of mapping or overhead must be set");
        }
        if mapping.is_set() {
            check_mapping(&mapping, &capacities);
        }
        if overhead.is_set() {
            check_overhead(&overhead);
        }
    }
}

fn is_node_resource(resource: &str) -> bool {
    matches!(resource, "cpu" | "memory" | "ephemeral-storage") || resource.starts_with("hugepages-")
}

fn check_mapping(mapping: &Field, capacities: &Field) {
    let [key, per_unit, per_device] =
        ["capacityKey", "capacityMultiplier", "deviceMultiplier"].map(|field| mapping.get(field));
    match (key.is_set(), per_unit.is_set()) {
        (true, false) => {
            per_unit.required("capacityMultiplier is required when capacityKey is set");
        }
        (false, true) => key.required("capacityKey is required when capacityMultiplier is set"),
        _ => {}
    }
    if key.is_set() && key.is_empty() {
        key.invalid_value("", "capacityKey must not be an empty string");
    } else if key.is_set() && !capacities.key(key.str()).is_set() {
        key.not_found();
    }
    for factor in [per_unit, per_device] {
        if amount(&factor).is_some_and(|amount| amount.is_zero() || amount.is_negative()) {
            factor.invalid("must be positive");
        }
    }
}

fn check_overhead(overhead: &Field) {
    let both = ["perPod", "perContainer"].map(|field| overhead.get(field));
    if !both.iter().any(Field::is_set) {
        overhead.invalid_value(
            json!(""),
            "at least one of perPod or perContainer must be set",
        );
    }
    for field in both {
        if amount(&field).is_some_and(|amount| amount.is_negative()) {
            field.invalid("must be non-negative");
        }
    }
}

fn amount(field: &Field) -> Option<Quantity> {
    field.str().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_follow_semver() {
        let good = ["1.2.3", "0.0.0-alpha.1", "1.0.0-0a+build.01"];
        let bad = ["1.2", "01.2.3", "1.2.3-01", "1.2.3-", "v1.2.3", "1.2.3+"];
        for text in good {
            assert!(is_version(text), "{text}");
        }
        for text in bad {
            assert!(!is_version(text), "{text}");
        }
    }
}
