//! Where the pod may run: tolerations, affinity, topology spread, scheduling gates.

use std::collections::HashSet;

use crate::api::core::label_keys;
use crate::api::field::Field;
use crate::api::metadata::check_label_key;
use crate::api::selector::{check_label_selector, check_node_selector_term};
use crate::name;

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// Checks all of a spec that concerns scheduling.
pub(super) fn check(spec: &Field) {
    spec.get("tolerations")
        .items()
        .for_each(|toleration| check_toleration(&toleration));
    let affinity = spec.get("affinity");
    if affinity.is_set() {
        check_node_affinity(&affinity.get("nodeAffinity"));
        check_pod_affinity(&affinity.get("podAffinity"));
        check_pod_affinity(&affinity.get("podAntiAffinity"));
    }
    check_spread(&spec.get("topologySpreadConstraints"));
    check_gates(spec);
    spec.get("preemptionPolicy")
        .may_be_one_of(&["Never", "PreemptLowerPriority"]);
}

/// Checks one toleration.
pub(crate) fn check_toleration(toleration: &Field) {
    let [key, operator, value, effect] =
        ["key", "operator", "value", "effect"].map(|field| toleration.get(field));
    if !key.is_empty() {
        check_label_key(&key, key.str());
    } else if operator.str() != "Exists" {
        operator.invalid_value(
            operator.str(),
            "operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
        );
    }
    if toleration.get("tolerationSeconds").is_set() && effect.str() != "NoExecute" {
        effect.invalid_value(
            effect.str(),
            "effect must be 'NoExecute' when `tolerationSeconds` is set",
        );
    }
    match operator.str() {
        "" | "Equal" => {
            for message in name::label_value(value.str()) {
                operator.invalid_value(value.str(), message);
            }
        }
        "Exists" => {
            if !value.is_empty() {
                operator.invalid_value(
                    toleration.value().cloned().unwrap_or_default(),
                    "value must be empty when `operator` is 'Exists'",
                );
            }
        }
        _ => operator.unsupported(&["Equal", "Exists"]),
    }
    effect.may_be_one_of(&EFFECTS);
}

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

fn check_node_affinity(affinity: &Field) {
    let required = affinity.get(REQUIRED);
    if required.is_set() {
        let terms = required.get("nodeSelectorTerms");
        if terms.is_empty() {
            terms.required("must have at least one node selector term");
        }
        terms
            .items()
            .for_each(|term| check_node_selector_term(&term));
    }
    for preferred in affinity.get(PREFERRED).items() {
        check_weight(&preferred.get("weight"));
        check_node_selector_term(&preferred.get("preference"));
    }
}

fn check_pod_affinity(affinity: &Field) {
    for term in affinity.get(REQUIRED).items() {
        check_pod_affinity_term(&term);
    }
    for preferred in affinity.get(PREFERRED).items() {
        check_weight(&preferred.get("weight"));
        check_pod_affinity_term(&preferred.get("podAffinityTerm"));
    }
}

fn check_pod_affinity_term(term: &Field) {
    check_label_selector(&term.get("labelSelector"));
    check_label_selector(&term.get("namespaceSelector"));
    for namespace in term.get("namespaces").items() {
        namespace.invalid_for(name::dns1123_label(namespace.str()));
    }
    check_topology_key(&term.get("topologyKey"));
    label_keys::check(term);
}

fn check_topology_key(key: &Field) {
    if key.is_empty() {
        key.required("can not be empty");
    } else {
        check_label_key(key, key.str());
    }
}

fn check_weight(weight: &Field) {
    let value = weight.int().unwrap_or(0);
    if !(1..=100).contains(&value) {
        weight.invalid_value(value, "must be in the range 1-100");
    }
}

fn check_spread(constraints: &Field) {
    let mut seen = HashSet::new();
    for constraint in constraints.items() {
        let skew = constraint.get("maxSkew");
        if skew.int().unwrap_or(0) <= 0 {
            skew.invalid_value(skew.int().unwrap_or(0), "must be greater than zero");
        }
        let key = constraint.get("topologyKey");
        check_topology_key(&key);
        let when = constraint.get("whenUnsatisfiable");
        if when.is_empty() || !matches!(when.str(), "DoNotSchedule" | "ScheduleAnyway") {
            when.unsupported(&["DoNotSchedule", "ScheduleAnyway"]);
        }
        if !seen.insert((key.str(), when.str())) {
            constraint.duplicate_value(format!("{{{}, {}}}", key.str(), when.str()));
        }
        let domains = constraint.get("minDomains");
        domains.must_be_positive();
        if domains.is_set() && when.str() != "DoNotSchedule" {
            domains.invalid("can only use minDomains if whenUnsatisfiable=DoNotSchedule");
        }
        for policy in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            constraint.get(policy).may_be_one_of(&["Honor", "Ignore"]);
        }
        check_label_selector(&constraint.get("labelSelector"));
        label_keys::check(&constraint);
    }
}

fn check_gates(spec: &Field) {
    let gates = spec.get("schedulingGates");
    let mut seen = HashSet::new();
    for gate in gates.items() {
        let name = gate.get("name").str();
        for message in name::qualified_name(name) {
            gate.invalid_value(name, message);
        }
        if !seen.insert(name) {
            gate.duplicate_value(name);
        }
    }
    let node_name = spec.get("nodeName");
    if !gates.is_empty() && !node_name.is_empty() {
        node_name.forbidden("cannot be set until all schedulingGates have been cleared");
    }
}
