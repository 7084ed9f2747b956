//! The steps of a path, in the form that they have in `fieldsV1`.

use serde_json::{Map, Value};

use crate::scheme::schema::{ListType, Schema};

/// The step to a field of an object or a key of a map.
pub(super) fn field(name: &str) -> String {
    format!("f:{name}")
}

/// The step to an item of a set or list map.
///
/// Keys that are absent count as their default. Keys without a default are left out: [`missing_key`] finds them.
pub(super) fn item(item: &Value, list: &Schema) -> String {
    let ListType::Map(keys) = list.list_type() else {
        return format!("v:{item}");
    };
    let named = keys
        .iter()
        .filter_map(|key| Some((key.to_string(), key_value(item, list, key)?)));
    let named: Map<String, Value> = named.collect();
    format!("k:{}", Value::Object(named))
}

/// The key that an item of a list map lacks, if any.
pub(super) fn missing_key<'a>(item: &Value, list: &'a Schema) -> Option<&'a str> {
    let ListType::Map(keys) = list.list_type() else {
        return None;
    };
    keys.iter()
        .map(|key| &**key)
        .find(|key| key_value(item, list, key).is_none())
}

fn key_value(item: &Value, list: &Schema, key: &str) -> Option<Value> {
    let default = || {
        list.items()?
            .field(key)?
            .key_default
            .as_deref()
            .map(Value::from)
    };
    item.get(key).cloned().or_else(default)
}

/// The step as messages show it: `.replicas`, `[name="a"]`, `[="x"]`.
pub(super) fn display(step: &str) -> String {
    match step.split_once(':') {
        Some(("f", name)) => format!(".{name}"),
        Some(("v", value)) => format!("[={value}]"),
        Some(("i", index)) => format!("[{index}]"),
        Some(("k", keys)) => {
            let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
            let keys: Vec<_> = keys
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            format!("[{}]", keys.join(","))
        }
        _ => format!(".{step}"),
    }
}
