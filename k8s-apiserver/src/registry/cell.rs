//! Cells that several kinds print alike.

use k8s_apimachinery::{
    Object, Value,
    selector::label::LabelSelector,
    table::{list_or_none, text_or},
};

/// The text at the path; empty when absent.
pub(super) fn text(object: &Object, path: &[&str]) -> Value {
    object.str(path).unwrap_or_default().into()
}

/// The text at the path, or what is printed in its place.
pub(super) fn text_or_else(object: &Object, path: &[&str], fallback: &str) -> Value {
    text_or(object.str(path), fallback).into()
}

/// The number at the path; zero when absent.
pub(super) fn number(object: &Object, path: &[&str]) -> i64 {
    object.get(path).and_then(Value::as_i64).unwrap_or(0)
}

/// How many items or entries there are at the path.
pub(super) fn count(object: &Object, path: &[&str]) -> usize {
    match object.get(path) {
        Some(Value::Array(list)) => list.len(),
        Some(Value::Object(map)) => map.len(),
        _ => 0,
    }
}

/// The items of the list at the path; none when absent.
pub(super) fn items<'a>(object: &'a Object, path: &[&str]) -> &'a [Value] {
    object
        .get(path)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// The items of a list inside a value; none when absent.
pub(super) fn items_of<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// A map as `key=value,...`.
pub(super) fn map(object: &Object, path: &[&str]) -> Value {
    let entries = object
        .get(path)
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let pairs = entries.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    list_or_none(pairs).into()
}

/// A label selector as `key=value,key in (a,b)`.
pub(super) fn selector(object: &Object, path: &[&str]) -> Value {
    let Some(selector) = object.get(path) else {
        return "<none>".into();
    };
    match LabelSelector::from_value(selector) {
        Ok(selector) => text_or(Some(&selector.to_string()), "<none>").into(),
        Err(_) => "<error>".into(),
    }
}

/// One field of each container of the template: names or images.
pub(super) fn of_containers(object: &Object, field: &str) -> Value {
    texts(object, &["spec", "template", "spec", "containers"], field)
}

/// One field of each item of the list at the path, separated by commas.
pub(super) fn texts(object: &Object, path: &[&str], field: &str) -> Value {
    let texts = items(object, path)
        .iter()
        .filter_map(|item| item[field].as_str());
    texts.collect::<Vec<_>>().join(",").into()
}

/// Whether the value at the path is `true`.
pub(super) fn flag(object: &Object, path: &[&str]) -> bool {
    object.get(path) == Some(&Value::Bool(true))
}

/// When the object was created, as RFC 3339.
pub(super) fn created_at(object: &Object) -> Value {
    text(object, &["metadata", "creationTimestamp"])
}
