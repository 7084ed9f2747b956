//! What changed between two states of an object, as sets of fields.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{element, field_set::FieldSet};
use crate::scheme::schema::{Field, Schema, Shape};

/// The fields that differ between an old and a new state.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) added: FieldSet,
    pub(super) modified: FieldSet,
    pub(super) removed: FieldSet,
}

/// Compares two states. Without an old state, structs that Kubernetes' own types always contain (`spec`, `template`, ...)
/// count as having been there, so that a creator owns what is in them but not them.
pub(super) fn compare(
    old: Option<&Map<String, Value>>,
    new: &Map<String, Value>,
    schema: &Schema,
) -> Comparison {
    match old {
        Some(old) => objects(Some(old), Some(new), schema, false),
        None => objects(None, Some(new), schema, true),
    }
}

impl Comparison {
    /// All that the new state has otherwise than the old one.
    pub(super) fn changed(&self) -> FieldSet {
        let mut changed = self.added.clone();
        changed.union(&self.modified);
        changed
    }

    pub(super) fn is_same(&self) -> bool {
        self.added.is_empty() && self.modified.is_empty() && self.removed.is_empty()
    }

    fn attach(&mut self, step: &str, below: Comparison) {
        self.added.attach(step.to_owned(), below.added);
        self.modified.attach(step.to_owned(), below.modified);
        self.removed.attach(step.to_owned(), below.removed);
    }
}

/// `is_zero`: the old state is the empty value of the type, and this place exists in it.
fn walk(old: Option<&Value>, new: Option<&Value>, schema: &Schema, is_zero: bool) -> Comparison {
    let is_empty = |value: &Value| match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => true,
    };
    if schema.is_atomic() || old.is_none_or(is_empty) && new.is_none_or(is_empty) {
        return leaf(old, new);
    }
    let mut found = match (old, new) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            objects(Some(old), Some(new), schema, false)
        }
        (None, Some(Value::Object(new))) => objects(None, Some(new), schema, is_zero),
        (Some(Value::Object(old)), None) => objects(Some(old), None, schema, false),
        (Some(Value::Array(old)), Some(Value::Array(new))) => lists(old, new, schema),
        (None, Some(Value::Array(new))) => lists(&[], new, schema),
        (Some(Value::Array(old)), None) => lists(old, &[], schema),
        (old, new) => return leaf(old, new),
    };
    if old.is_none() && !is_zero {
        found.added.insert();
    }
    if new.is_none() {
        found.removed.insert();
    }
    found
}

fn leaf(old: Option<&Value>, new: Option<&Value>) -> Comparison {
    let mut found = Comparison::default();
    match (old, new) {
        (None, Some(_)) => found.added.insert(),
        (Some(_), None) => found.removed.insert(),
        (old, new) if old != new => found.modified.insert(),
        _ => {}
    }
    found
}

fn objects(
    old: Option<&Map<String, Value>>,
    new: Option<&Map<String, Value>>,
    schema: &Schema,
    is_zero: bool,
) -> Comparison {
    let mut found = Comparison::default();
    let mut visit = |name: &str, old: Option<&Value>, new: Option<&Value>| {
        if old == new {
            return;
        }
        let is_zero = is_zero && schema.field(name).is_some_and(is_always_there);
        let below = match schema.child(name) {
            Some(child) => walk(old, new, child, is_zero),
            None => leaf(old, new),
        };
        found.attach(&element::field(name), below);
    };
    for (name, value) in new.into_iter().flatten() {
        visit(name, old.and_then(|old| old.get(name)), Some(value));
    }
    for (name, value) in old.into_iter().flatten() {
        if new.is_none_or(|new| !new.contains_key(name)) {
            visit(name, Some(value), None);
        }
    }
    found
}

/// Whether the empty value of the type has the field, as a struct or a null.
fn is_always_there(field: &Field) -> bool {
    const STRUCTS: [&str; 6] = [
        "metadata",
        "spec",
        "status",
        "template",
        "strategy",
        "updateStrategy",
    ];
    let is_collection = matches!(
        field.schema().shape(),
        Shape::Object { .. } | Shape::Map { .. } | Shape::List { .. }
    );
    is_collection && (field.is_required || STRUCTS.contains(&&*field.name))
}

fn lists(old: &[Value], new: &[Value], schema: &Schema) -> Comparison {
    let mut found = Comparison::default();
    let Some(items) = schema.items() else {
        return found;
    };
    let mut pairs: BTreeMap<String, (Option<&Value>, Option<&Value>)> = BTreeMap::new();
    for item in old {
        pairs.entry(element::item(item, schema)).or_default().0 = Some(item);
    }
    for item in new {
        pairs.entry(element::item(item, schema)).or_default().1 = Some(item);
    }
    for (step, (old, new)) in pairs {
        if old != new {
            found.attach(&step, walk(old, new, items, false));
        }
    }
    found
}
