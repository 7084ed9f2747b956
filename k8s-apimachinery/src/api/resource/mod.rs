//! Kinds of `resource.k8s.io`: dynamic resource allocation (KEP-4381). Selectors' CEL expressions are checked for their
//! length, not compiled.

mod allocation;
mod capacity;
mod claim;
mod device;
pub mod device_class;
pub mod device_taint_rule;
mod identifier;
pub mod resource_claim;
pub mod resource_claim_template;
pub mod resource_slice;
mod selector;
mod taint;

use std::collections::HashSet;

use super::Field;

/// Reports a list that is longer than allowed. Says whether it is short enough for its items to be worth a look.
fn must_be_short(list: &Field, max: usize) -> bool {
    if list.len() > max {
        list.too_many(max);
    }
    list.len() <= max
}

/// Reports each item whose text under `key` repeats that of an earlier one; with an empty `key`, whose own text does.
fn must_differ(list: &Field, key: &str) {
    let mut seen = HashSet::new();
    for item in list.items() {
        let text = match key {
            "" => item.str(),
            key => item.get(key).str(),
        };
        if !seen.insert(text) {
            item.duplicate_value(text);
        }
    }
}
