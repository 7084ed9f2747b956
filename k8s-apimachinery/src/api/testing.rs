//! Table helpers for the tests of kinds.

use serde_json::{Value, json};

use super::Rules;
use crate::object::Object;

/// The value as an object.
pub(crate) fn object(value: Value) -> Object {
    Object::from_value(value).expect("a JSON object")
}

/// A namespaced object with proper metadata and the given other fields.
pub(crate) fn named(fields: Value) -> Object {
    let mut value = fields;
    value["metadata"]["name"] = json!("x");
    value["metadata"]["namespace"] = json!("default");
    object(value)
}

/// Same, for a kind without namespaces.
pub(crate) fn cluster_wide(fields: Value) -> Object {
    let mut value = fields;
    value["metadata"]["name"] = json!("x");
    object(value)
}

/// Defaults the object, then expects exactly these faults on creation.
#[track_caller]
pub(crate) fn check_create(rules: &dyn Rules, mut object: Object, want: &[&str]) {
    rules.default(&mut object);
    let faults = rules.validate(&object);
    let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(texts, want);
}

/// Defaults both objects, then expects exactly these faults on the update.
#[track_caller]
pub(crate) fn check_update(rules: &dyn Rules, mut old: Object, mut new: Object, want: &[&str]) {
    rules.default(&mut old);
    rules.default(&mut new);
    let faults = rules.validate_update(&new, &old);
    let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(texts, want);
}

/// Expects exactly these faults of the object's status, where there was none before.
#[track_caller]
pub(crate) fn check_status(rules: &dyn Rules, object: Object, want: &[&str]) {
    let mut old = object.clone();
    old.remove(&["status"]);
    let faults = rules.validate_status_update(&object, &old);
    let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(texts, want);
}

/// Expects that defaulting fills in exactly what `want` shows, and that doing it twice adds nothing.
#[track_caller]
pub(crate) fn check_defaults(rules: &dyn Rules, mut object: Object, want: &expect_test::Expect) {
    rules.default(&mut object);
    let once = object.clone();
    rules.default(&mut object);
    assert_eq!(object, once, "defaulting is idempotent");
    let text = serde_json::to_string_pretty(&Value::Object(object.as_map().clone()));
    want.assert_eq(&text.expect("a tree serialises"));
}
