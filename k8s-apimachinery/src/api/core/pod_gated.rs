//! What may change in a pod that waits for its scheduling gates: where it may go can be narrowed (KEP-3838).

use crate::api::Field;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

/// Checks the node selector and the node affinity of a gated pod's update.
pub(super) fn check(new: &Field, old: &Field) {
    check_selector(&new.get("nodeSelector"), &old.get("nodeSelector"));
    let (affinity, old_affinity) = (new.get("affinity"), old.get("affinity"));
    check_affinity(
        &affinity.get("nodeAffinity"),
        &old_affinity.get("nodeAffinity"),
    );
}

/// Whether nothing else differs between two affinities.
pub(super) fn is_same_but_for_nodes(new: &Field, old: &Field) -> bool {
    let kinds = ["podAffinity", "podAntiAffinity"];
    let mut kinds = kinds.iter();
    kinds.all(|kind| new.get(kind).same_as(&old.get(kind)))
}

fn check_selector(new: &Field, old: &Field) {
    let mut kept = old
        .names()
        .map(|key| (new.key(key).value(), old.key(key).value()));
    if kept.any(|(new, old)| new != old) {
        new.invalid("only additions to spec.nodeSelector are allowed (no mutations or deletions)");
    }
}

/// Terms stay as many as they are, since each one more would widen the choice; to each there may be added.
fn check_affinity(new: &Field, old: &Field) {
    let (required, old_required) = (new.get(REQUIRED), old.get(REQUIRED));
    let (terms, old_terms) = (
        required.get("nodeSelectorTerms"),
        old_required.get("nodeSelectorTerms"),
    );
    if old_terms.is_empty() {
        return;
    }
    if terms.len() != old_terms.len() {
        terms.invalid("no additions/deletions to non-empty NodeSelectorTerms list are allowed");
        return;
    }
    for (term, old) in terms.items().zip(old_terms.items()) {
        if !is_narrower(&term, &old) {
            term.invalid("only additions are allowed (no mutations or deletions)");
        }
    }
}

/// An empty term matches nothing: whatever is added widens it.
fn is_narrower(new: &Field, old: &Field) -> bool {
    const LISTS: [&str; 2] = ["matchExpressions", "matchFields"];
    if LISTS.iter().all(|list| old.get(list).is_empty()) {
        return LISTS.iter().all(|list| new.get(list).is_empty());
    }
    LISTS.iter().all(|list| {
        let (new, old) = (new.get(list), old.get(list));
        let mut pairs = new.items().zip(old.items());
        new.len() >= old.len() && pairs.all(|(new, old)| new.same_as(&old))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{collect_update, testing::object};
    use serde_json::{Value, json};

    #[track_caller]
    fn check(new: Value, old: Value, want: &[&str]) {
        let faults = collect_update(&object(new), &object(old), super::check);
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, want);
    }

    #[test]
    fn a_node_selector_only_grows() {
        let of = |selector: Value| json!({ "nodeSelector": selector });
        check(of(json!({"a": "1", "b": "2"})), of(json!({"a": "1"})), &[]);
        check(of(json!({"a": "1"})), json!({}), &[]);
        for new in [json!({"b": "2"}), json!({"a": "2"})] {
            let fault = format!(
                "nodeSelector: Invalid value: {new}: only additions to spec.nodeSelector are allowed (no mutations or \
                 deletions)"
            );
            check(of(new), of(json!({"a": "1"})), &[&fault]);
        }
    }

    #[test]
    fn terms_of_an_affinity_stay_as_many_and_get_narrower() {
        let of = |terms: Value| json!({"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}}}});
        let (a, b) = (
            json!({"key": "a", "operator": "Exists"}),
            json!({"key": "b", "operator": "Exists"}),
        );
        let term = |expressions: &[&Value]| json!({ "matchExpressions": expressions });
        let at = format!("affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms");
        check(of(json!([term(&[&a])])), json!({}), &[]);
        check(of(json!([term(&[&a, &b])])), of(json!([term(&[&a])])), &[]);
        check(
            of(json!([term(&[&b])])),
            of(json!([term(&[&a])])),
            &[&format!(
                "{at}[0]: Invalid value: {}: only additions are allowed (no mutations or deletions)",
                term(&[&b])
            )],
        );
        let more = json!([term(&[&a]), term(&[&b])]);
        check(
            of(more.clone()),
            of(json!([term(&[&a])])),
            &[&format!(
                "{at}: Invalid value: {more}: no additions/deletions to non-empty NodeSelectorTerms list are allowed"
            )],
        );
        check(of(json!([{}])), of(json!([{}])), &[]);
    }
}
