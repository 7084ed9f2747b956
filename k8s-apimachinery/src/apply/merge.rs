//! Merging a configuration into an object, and taking away what its applier no longer configures.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{element, field_set::FieldSet};
use crate::scheme::schema::Schema;

/// Merges a configuration into an object: maps by key, list maps and sets by item, the rest replaces.
pub(super) fn merge(live: &mut Map<String, Value>, config: &Map<String, Value>, schema: &Schema) {
    for (name, value) in config {
        match (live.get_mut(name), schema.child(name)) {
            (Some(current), Some(child)) => merge_value(current, value, child),
            _ => {
                live.insert(name.clone(), value.clone());
            }
        }
    }
}

fn merge_value(live: &mut Value, config: &Value, schema: &Schema) {
    match (&mut *live, config) {
        (Value::Object(live), Value::Object(config)) if !schema.is_atomic() => {
            merge(live, config, schema)
        }
        (Value::Array(live), Value::Array(config)) if !schema.is_atomic() => {
            merge_list(live, config, schema)
        }
        _ => live.clone_from(config),
    }
}

/// The configuration's items in its order; items that only the object has stay before what they stood before.
fn merge_list(live: &mut Vec<Value>, config: &[Value], schema: &Schema) {
    let Some(items) = schema.items() else { return };
    let mut theirs: BTreeMap<String, Option<(usize, Value)>> = config
        .iter()
        .map(|item| (element::item(item, schema), None))
        .collect();
    // Shared items wait under their key; the others are queued with the count of shared ones before them.
    let mut own = Vec::new();
    let mut shared = 0;
    for item in live.drain(..) {
        match theirs.get_mut(&element::item(&item, schema)) {
            Some(Some((_, place))) => *place = item,
            Some(place) => {
                *place = Some((shared, item));
                shared += 1;
            }
            None => own.push((shared, item)),
        }
    }
    let mut own = own.into_iter().peekable();
    let mut done = 0;
    let mut is_done = vec![false; shared];
    for item in config {
        // Items of the object's own come as soon as all shared items before them are out.
        while let Some((_, item)) = own.next_if(|(before, _)| *before <= done) {
            live.push(item);
        }
        let step = element::item(item, schema);
        match theirs.get_mut(&step).and_then(Option::take) {
            Some((index, mut current)) => {
                merge_value(&mut current, item, items);
                live.push(current);
                is_done[index] = true;
                while is_done.get(done) == Some(&true) {
                    done += 1;
                }
            }
            None => live.push(item.clone()),
        }
    }
    live.extend(own.map(|(_, item)| item));
}

/// Takes away what the applier set the last time and nobody owns now. An item that goes takes along what is in it.
pub(super) fn prune(
    value: &mut Map<String, Value>,
    schema: &Schema,
    last: &FieldSet,
    owned: &FieldSet,
) {
    for (step, last) in last.children() {
        let Some(name) = step.strip_prefix("f:") else {
            continue;
        };
        match (owned.child(step), value.get_mut(name), schema.child(name)) {
            (None, Some(_), _) => {
                value.remove(name);
            }
            (Some(owned), Some(below), Some(schema)) => prune_value(below, schema, last, owned),
            _ => {}
        }
    }
}

fn prune_value(value: &mut Value, schema: &Schema, last: &FieldSet, owned: &FieldSet) {
    match value {
        Value::Object(map) => prune(map, schema, last, owned),
        Value::Array(list) if !schema.is_atomic() => list.retain_mut(|item| {
            let step = element::item(item, schema);
            match (last.child(&step), owned.child(&step)) {
                (Some(_), None) => false,
                (Some(last), Some(owned)) => {
                    if let Some(items) = schema.items() {
                        prune_value(item, items, last, owned);
                    }
                    true
                }
                (None, _) => true,
            }
        }),
        _ => {}
    }
}
